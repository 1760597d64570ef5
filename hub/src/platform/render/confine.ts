/** Bounds of one process. */
export interface ProcessLimits {
  readonly timeMs: number;
  /** Address space. Go reserves more than it uses: less than 1 GiB is not enough for Helm. */
  readonly memoryBytes: number;
  /** What it may print, and the largest file it may write. */
  readonly outputBytes: number;
}

/**
 * How a process is shut in. `root`: own network, process and IPC namespaces, a private root, an unprivileged user.
 * `user`: the same without being root, by a user namespace. `none`: limits and an empty environment only.
 */
export type Confinement = "root" | "user" | "none";

/** The nobody of Linux: owns nothing. */
const nobody = "65534";

/** Where things lie in a job's directory, which is the process's root. */
export const jobFolders = { tools: "bin", work: "work", home: "home", temporary: "tmp" } as const;

/** What to start. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface Job {
  /** The job's directory, with the four folders in it. */
  readonly root: string;
  /** Name of the tool in the tools' folder. */
  readonly tool: string;
  /** The folder that holds the tools themselves, and their path for `none`. */
  readonly toolsDirectory: string;
  readonly args: readonly string[];
  readonly limits: ProcessLimits;
  /** Where `prlimit` is, if it is there. */
  readonly prlimit: string | undefined;
}

// Over the tools, so that a job cannot change what the next one runs; then a second user namespace takes all rights away.
const userScript = `set -e
mount -o bind,ro "$CAPSTAN_TOOLS" "$CAPSTAN_ROOT/${jobFolders.tools}"
root="$CAPSTAN_ROOT"
unset CAPSTAN_ROOT CAPSTAN_TOOLS
exec unshare --user --map-user=${nobody} --map-group=${nobody} --root="$root" --wd=/${jobFolders.work} -- "$@"`;

/**
 * The command line that runs a job shut in. A process in a private root without rights cannot leave it, nor make
 * another user namespace to gain rights; without an interface in its network namespace it reaches nobody.
 */
export function confine(how: Confinement, job: Job, path: string): Command {
  const tool = `/${jobFolders.tools}/${job.tool}`;
  const apart = ["--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child"];
  const inside = { HOME: `/${jobFolders.home}`, TMPDIR: `/${jobFolders.temporary}`, ...goSettings };
  switch (how) {
    case "root": {
      const be = [`--root=${job.root}`, `--wd=/${jobFolders.work}`, "--setgid", nobody, "--setuid", nobody];
      const args = ["unshare", ...apart, ...be, "--", tool, ...job.args];
      return limited(job, { args, cwd: job.root, env: { ...inside, PATH: path } });
    }
    case "user": {
      const be = ["--user", "--map-root-user", "--mount"];
      const args = ["unshare", ...apart, ...be, "sh", "-c", userScript, "sh", tool, ...job.args];
      const env = { ...inside, PATH: path, CAPSTAN_ROOT: job.root, CAPSTAN_TOOLS: job.toolsDirectory };
      return limited(job, { args, cwd: job.root, env });
    }
    case "none": {
      const home = { HOME: `${job.root}/${jobFolders.home}`, TMPDIR: `${job.root}/${jobFolders.temporary}` };
      const args = [`${job.toolsDirectory}/${job.tool}`, ...job.args];
      const bare = { args, cwd: `${job.root}/${jobFolders.work}`, env: { ...home, ...goSettings } };
      // Where there is no prlimit (outside Linux), the watch on time and output is all there is.
      return job.prlimit !== undefined ? limited(job, bare) : { ...bare, file: args[0] ?? "", args: job.args };
    }
  }
}

// Renders are short: collecting garbage less often is a third less work.
const goSettings = { GOGC: "400" };

/** `prlimit` replaces itself by the command, so it costs no process. */
function limited(job: Job, command: Omit<Command, "file">): Command {
  const { timeMs, memoryBytes, outputBytes } = job.limits;
  const limits = [
    `--as=${memoryBytes}`,
    `--cpu=${Math.ceil(timeMs / 1000) * 2}`,
    `--fsize=${outputBytes}`,
    "--nofile=1024",
    "--core=0",
  ];
  return { ...command, file: job.prlimit ?? "prlimit", args: [...limits, "--", ...command.args] };
}
