import { Fault } from "@capstan/proto";
import { CanIResponseSchema, WhoAmIResponseSchema } from "@capstan/proto/system";
import { msOf, span } from "./age.ts";
import { dataOf } from "./answer.ts";
import type { Call } from "./call.ts";
import { chosen, loadContexts, parseAccess, saveContexts } from "./contexts.ts";
import { exit } from "./exit.ts";
import type { Access } from "./port.ts";
import { type Column, table } from "./table.ts";
import { flag, type Verb } from "./verb.ts";

const signingIn: readonly Verb[] = [
  {
    words: "login",
    help: "sign in to a hub and keep its address, CA and token as a context",
    flags: [
      { flags: "--from <file>", help: "the hub's admin.json, or a file like it ({endpoints, ca, token})" },
      { flags: "--hub <host:port>", help: "the hub's address (several times where there are several)", many: true },
      { flags: "--token-file <file>", help: "a token that an admin made; - for standard input" },
      { flags: "--ca <file>", help: "the hub's CA certificate, PEM" },
      { flags: "--ca-pin <sha256>", help: "or the SHA-256 of that certificate (capstan version shows it)" },
      { flags: "--name <context>", help: "what to call it (default: the hub's host)" },
      flag.yes,
    ],
    examples: [
      "login --from /var/lib/capstan/admin.json",
      "login --hub hub.example.com:7443 --token-file - --ca-pin 3f…",
    ],
    run: login,
  },
  {
    words: "logout",
    args: "[context]",
    help: "forget a context; the token stays good (capstan token revoke ends it)",
    examples: ["logout", "logout staging"],
    run: async (call) => {
      const all = await loadContexts(call.ports);
      const [name] = chosen(all, call.word(0) === "" ? call.ports.environment.context : call.word(0));
      const contexts = Object.fromEntries(Object.entries(all.contexts).filter(([each]) => each !== name));
      const current = all.current === name ? "" : all.current;
      await saveContexts(call.ports, { current, contexts });
      call.say(`${name} is forgotten here; its token is still good until it ends or is revoked`);
      return exit.done;
    },
  },
  {
    words: "whoami",
    help: "who you are to the hub",
    flags: [flag.output],
    examples: ["whoami"],
    run: async (call) => {
      const me = await (await call.hub()).system.whoAmI({}, call.signal);
      return call.show({
        text: ({ now }) => {
          const ends = msOf(me.expiresAt);
          const until = ends === undefined ? "does not end" : `ends in ${span(ends - now)}`;
          return [`${me.name}, role ${me.role}; the token ${until}`];
        },
        data: dataOf(WhoAmIResponseSchema, me),
        names: [`person/${me.name}`],
      });
    },
  },
  {
    words: "can",
    args: "<verb> <noun>",
    help: "whether you may; exit code 77 where you may not",
    flags: [flag.output],
    examples: ["can sync lane", "can approve deletion"],
    run: async (call) => {
      const [verb, noun] = [call.word(0), call.word(1)];
      const answer = await (await call.hub()).system.canI({ verb, noun }, call.signal);
      call.show({
        text: () => [`${answer.allowed ? "yes" : "no"}${answer.rule === "" ? "" : `: ${answer.rule}`}`],
        data: dataOf(CanIResponseSchema, answer),
        names: [answer.allowed ? "yes" : "no"],
      });
      return answer.allowed ? exit.done : exit.notAllowed;
    },
  },
];

const contexts: readonly Verb[] = [
  {
    words: "context list",
    help: "the hubs that you have signed in to",
    flags: [flag.output],
    examples: ["context list"],
    run: async (call) => {
      const { current, contexts: all } = await loadContexts(call.ports);
      const rows = Object.entries(all).map(([name, { endpoints }]) => ({ name, endpoints, current: name === current }));
      const columns: readonly Column<(typeof rows)[number]>[] = [
        { head: "", cell: (row) => (row.current ? "*" : "") },
        { head: "NAME", cell: ({ name }) => name },
        { head: "HUB", cell: ({ endpoints }) => endpoints.join(",") },
      ];
      return call.show({
        text: (look) => (rows.length === 0 ? ["none yet: capstan login --help"] : table(columns, rows, look)),
        data: rows.map(({ name, endpoints, current: inUse }) => ({ name, endpoints: [...endpoints], current: inUse })),
        names: rows.map(({ name }) => `context/${name}`),
      });
    },
  },
  {
    words: "context use",
    args: "<name>",
    help: "choose the hub that verbs talk to",
    examples: ["context use staging"],
    run: async (call) => {
      const all = await loadContexts(call.ports);
      const [name, { endpoints }] = chosen(all, call.word(0));
      await saveContexts(call.ports, { ...all, current: name });
      call.say(`${name} (${endpoints.join(", ")}) is used from now on`);
      return exit.done;
    },
  },
];

/** Signing in, and contexts. */
export const contextVerbs: readonly Verb[] = [...signingIn, ...contexts];

async function login(call: Call): Promise<number> {
  const { ports, signal } = call;
  const found = await accessGiven(call);
  const hub = ports.connect(found);
  try {
    const me = await hub.system.whoAmI({}, signal).catch(whoever);
    const name = call.text("name") ?? (found.endpoints[0] ?? "hub").replace(/:\d+$/, "");
    const all = await loadContexts(ports);
    await saveContexts(ports, { current: name, contexts: { ...all.contexts, [name]: found } });
    call.say(`signed in${me === undefined ? "" : ` as ${me.name}, role ${me.role}`}; the context is called ${name}`);
    return exit.done;
  } finally {
    hub.close();
  }
}

/** A hub of an older version does not say who one is; that it answered at all is enough. */
function whoever(thrown: unknown): undefined {
  const fault = Fault.from(thrown);
  if (fault.code !== "unsupported") throw fault;
}

async function accessGiven(call: Call): Promise<Access> {
  const { files, findCa } = call.ports;
  const from = call.text("from");
  if (from !== undefined) {
    const given = parseAccess(await files.read(from), from);
    const hubs = call.list("hub");
    return hubs.length === 0 ? given : { ...given, endpoints: hubs };
  }
  const endpoints = call.list("hub");
  const [first] = endpoints;
  if (first === undefined)
    throw new Fault("bad-input", {
      message: "expected --from FILE or --hub HOST:PORT.",
      next: "See capstan login --help.",
    });
  const caFile = call.text("ca");
  const pin = call.text("caPin");
  const ca = caFile === undefined ? await findCa(first, pin, call.signal) : undefined;
  if (ca !== undefined && pin === undefined) {
    await call.confirm(
      [
        `the hub at ${first} shows a CA with SHA-256`,
        `  ${ca.pin}`,
        "compare it with what `capstan version` says on the hub's side",
      ],
      "Is it the right one?",
    );
  }
  const tokenFile = call.needed("tokenFile", "a token (--token-file FILE, or - for standard input)");
  const token = (tokenFile === "-" ? await files.readInput("Token: ") : await files.read(tokenFile)).trim();
  if (token === "") throw new Fault("bad-input", { message: "expected a token, found nothing." });
  if (ca !== undefined) return { endpoints, ca: ca.ca, token };
  return { endpoints, ca: pemBody(await files.read(caFile ?? ""), caFile ?? ""), token };
}

function pemBody(text: string, file: string): string {
  const body = /-----BEGIN CERTIFICATE-----([\s\S]+?)-----END CERTIFICATE-----/.exec(text)?.[1]?.replace(/\s+/g, "");
  if (body !== undefined && body !== "") return body;
  throw new Fault("bad-input", { message: "expected a certificate as PEM.", where: { file } });
}
