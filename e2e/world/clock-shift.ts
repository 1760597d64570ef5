import { writeFile } from "node:fs/promises";
import { run } from "./process.ts";
import type { TempDir } from "./temp.ts";

/** Every way in which a program of the C library asks for the time of day, moved by CLOCK_SHIFT seconds. */
const source = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long shift(void) { const char *s = getenv("CLOCK_SHIFT"); return s ? atol(s) : 0; }
int clock_gettime(clockid_t id, struct timespec *t) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int r = real(id, t);
  if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) t->tv_sec += shift();
  return r;
}
time_t time(time_t *out) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  if (out) *out = t.tv_sec;
  return t.tv_sec;
}
int gettimeofday(struct timeval *restrict t, void *restrict zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  t->tv_sec = now.tv_sec;
  t->tv_usec = now.tv_nsec / 1000;
  return 0;
}
`;

/** Variables for a program whose clock is off, or why this machine has none. */
export type ClockShift =
  | { readonly env: (seconds: number) => Readonly<Record<string, string>> }
  | { readonly lacks: string };

/**
 * Makes a library that moves the clock of Node and of the TLS within it, by the machine's C compiler. Timers go on as they
 * do: only the time of day is off, as on a node without a time service.
 */
export async function clockShift(dir: TempDir): Promise<ClockShift> {
  const [file, library] = [dir.at("shift.c"), dir.at("shift.so")];
  await writeFile(file, source);
  const env = { PATH: process.env["PATH"] ?? "" };
  const args = ["-shared", "-fPIC", "-O1", "-o", library, file, "-ldl"];
  try {
    const { code, stderr } = await run({ name: "cc", binary: "cc", args, env });
    if (code !== 0) return { lacks: `the C compiler failed: ${stderr}` };
  } catch (error) {
    return {
      lacks: `a C compiler is needed to move a clock: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
  const shifted = (seconds: number) => ({ LD_PRELOAD: library, CLOCK_SHIFT: String(seconds) });
  const script = "process.stdout.write(String(Date.now()))";
  const look = { name: "node", binary: process.execPath, args: ["-e", script], env: shifted(3_600) };
  const ahead = Number((await run(look)).stdout) - Date.now();
  return Math.abs(ahead - 3_600_000) < 60_000 ? { env: shifted } : { lacks: `the clock was moved by ${ahead} ms only` };
}
