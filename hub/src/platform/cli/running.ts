import { readdir, readFile } from "node:fs/promises";

/** Processes whose command line names the folder, besides this one; none where the system has no /proc. */
export async function running(folder: string): Promise<readonly number[]> {
  const names = await readdir("/proc").catch((): string[] => []);
  const pids = names.map(Number).filter((pid) => Number.isInteger(pid) && pid !== process.pid && pid !== process.ppid);
  const found = await Promise.all(pids.map(async (pid) => ((await isOn(pid, folder)) ? pid : undefined)));
  return found.filter((pid) => pid !== undefined);
}

async function isOn(pid: number, folder: string): Promise<boolean> {
  const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return line.split("\0").some((word) => word === folder || word.startsWith(`${folder}/`));
}
