import { Fault } from "@capstan/proto";
import { z } from "zod";
import type { Access, CliPorts } from "./port.ts";

const access = z.object({
  endpoints: z.array(z.string().min(3)).min(1),
  ca: z.base64().min(1),
  token: z.string().min(1),
});

const contextsFile = z.object({
  current: z.string().default(""),
  contexts: z.record(z.string(), access).default({}),
});

/** Hubs that a person has signed in to, by name, and the one in use. */
export interface Contexts {
  readonly current: string;
  readonly contexts: Readonly<Record<string, Access>>;
}

/** Reads the file of contexts; none yet where it is not there. Throws `bad-config`. */
export async function loadContexts({ files, environment }: CliPorts): Promise<Contexts> {
  const file = environment.configFile;
  const text = await files.readIfThere(file);
  if (text === undefined || text.trim() === "") return { current: "", contexts: {} };
  const parsed = contextsFile.safeParse(json(text, file));
  if (parsed.success) return parsed.data;
  throw new Fault("bad-config", {
    message: "expected the contexts that capstan login writes, found something else.",
    where: { file },
    next: "Move the file away and sign in again: capstan login",
  });
}

/** Writes the file of contexts, for its owner alone. */
export async function saveContexts({ files, environment }: CliPorts, contexts: Contexts): Promise<void> {
  await files.writePrivate(environment.configFile, `${JSON.stringify(contexts, null, 2)}\n`);
}

/**
 * The hub to call: the context that CAPSTAN_CONTEXT names, else the data folder of CAPSTAN_DATA, else the current context;
 * CAPSTAN_HUB says another address of the same hub. Throws `not-signed-in`.
 */
export async function accessOf(ports: CliPorts): Promise<Access> {
  const { hub, data, context } = ports.environment;
  const found =
    context === undefined && data !== undefined ? await ofData(ports, data) : await ofContext(ports, context);
  return hub === undefined ? found : { ...found, endpoints: hub.split(",") };
}

/** The context in force by name and access. Throws `not-signed-in`. */
export function chosen({ current, contexts }: Contexts, asked: string | undefined): readonly [string, Access] {
  const name = asked ?? current;
  const found = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (found !== undefined) return [name, found];
  const names = Object.keys(contexts);
  throw new Fault("not-signed-in", {
    message: name === "" ? "no hub is chosen." : `no context is called ${name}.`,
    next:
      names.length === 0
        ? "Sign in: capstan login --from DATA/admin.json (CAPSTAN_DATA=DATA does without)."
        : `Choose one: capstan context use NAME (there are: ${names.join(", ")}).`,
  });
}

/** Reads what a hub writes for its first admin. Throws `bad-config`. */
export function parseAccess(text: string, file: string): Access {
  const parsed = access.safeParse(json(text, file));
  if (parsed.success) return parsed.data;
  throw new Fault("bad-config", {
    message: "expected JSON with endpoints, ca and token.",
    where: { file },
    next: "Take the file admin.json of the hub's data folder.",
  });
}

async function ofContext(ports: CliPorts, name: string | undefined): Promise<Access> {
  return chosen(await loadContexts(ports), name)[1];
}

async function ofData({ files }: CliPorts, data: string): Promise<Access> {
  const file = `${data.replace(/\/+$/, "")}/admin.json`;
  const text = await files.readIfThere(file);
  if (text !== undefined) return parseAccess(text, file);
  throw new Fault("not-signed-in", {
    message: "expected the first admin's credential of a hub, found no file.",
    where: { file },
    next: "Set CAPSTAN_DATA to the hub's data folder; the hub writes the file at its first start.",
  });
}

function json(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Fault("bad-config", { message: "expected JSON.", where: { file }, cause });
  }
}
