import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "@capstan/proto";

const mounted = "/etc/capstan/join";

/** The join files that a pod has mounted from Secret `capstan-join`; absent ones are left out. */
export async function joinFiles(folder = mounted): Promise<{ cluster?: string; hub?: string; tokenFile?: string }> {
  const read = (name: string) => readFile(join(folder, name), "utf8").catch(absent);
  const tokenFile = join(folder, "token");
  const there = await access(tokenFile).then(
    () => true,
    () => false,
  );
  const [cluster, hub] = await Promise.all([read("cluster"), read("hub")]);
  return {
    ...(cluster === undefined ? {} : { cluster }),
    ...(hub === undefined ? {} : { hub }),
    ...(there ? { tokenFile } : {}),
  };
}

/** A Secret may leave a key out; whatever else stops the reading is no absence. */
function absent(cause: unknown): undefined {
  if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
  throw new Fault("bad-config", {
    message: "the join files that the pod has mounted cannot be read.",
    where: { file: mounted },
    next: "Mount Secret capstan-join so that the agent's user can read it.",
    cause,
  });
}

/** A file's text; `bad-config` where it cannot be read. */
export async function readText(file: string): Promise<string> {
  return readFile(file, "utf8").catch((cause: unknown) => {
    throw new Fault("bad-config", {
      message: "the file cannot be read.",
      where: { file },
      next: "Name a readable file.",
      cause,
    });
  });
}
