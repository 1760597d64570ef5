import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Fault } from "@capstan/proto";
import { CreateTokenResponseSchema, ListTokensResponseSchema, type TokenView } from "@capstan/proto/system";
import { parseDurationMs } from "../targets/policy.ts";
import { dateText, msOf, span } from "./age.ts";
import { asOf, dataOf } from "./answer.ts";
import { allPages, type Call } from "./call.ts";
import { exit } from "./exit.ts";
import { type Column, table } from "./table.ts";
import { changeFlags, flag, type Verb } from "./verb.ts";

/** Reads `--ttl`. Throws `bad-input`. */
export function ttlOf(call: Call) {
  const text = call.text("ttl");
  if (text === undefined) return undefined;
  const ms = parseDurationMs(text);
  if (ms > 0 && /^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return durationFromMs(ms);
  throw new Fault("bad-input", {
    message: `expected a duration, found ${JSON.stringify(text)}.`,
    next: "For example --ttl 1h or --ttl 30m.",
  });
}

const tokenColumns = (now: number, offset: number): readonly Column<TokenView>[] => [
  { head: "ID", cell: ({ id }) => id },
  { head: "NAME", cell: ({ name }) => name, gives: true },
  { head: "ROLE", cell: ({ role }) => role },
  { head: "MADE", cell: ({ createdAt }) => (createdAt === undefined ? "-" : dateText(msOf(createdAt) ?? 0, offset)) },
  {
    head: "ENDS",
    cell: ({ expiresAt }) => {
      const ends = msOf(expiresAt);
      return ends === undefined ? "never" : ends < now ? "ended" : `in ${span(ends - now)}`;
    },
  },
];

/** Tokens of people and programs. */
export const tokenVerbs: readonly Verb[] = [
  {
    words: "token create",
    args: "<name>",
    help: "make a token for a person or program; its text is shown once",
    flags: [
      { flags: "--role <role>", help: "admin or viewer (default: viewer)" },
      { flags: "--ttl <duration>", help: "how long it lives, for example 12h (default: 90 days)" },
      { flags: "--token-out <file>", help: "write the token there (0600) instead of showing it" },
      ...changeFlags,
    ],
    examples: ["token create ci --role viewer --ttl 720h", "token create mira --role admin --token-out mira.token"],
    run: createToken,
  },
  {
    words: "token list",
    help: "tokens, without their secrets",
    flags: [flag.output],
    examples: ["token list"],
    run: async (call) => {
      const hub = await call.hub();
      const pages = await allPages((pageToken) => hub.system.listTokens({ options: { pageToken } }, call.signal));
      const all = { ...pages[0], tokens: pages.flatMap(({ tokens: some }) => some) };
      return call.show({
        text: (look) => table(tokenColumns(look.now, look.utcOffset), all.tokens, look),
        data: dataOf(ListTokensResponseSchema, all),
        names: all.tokens.map(({ id }) => `token/${id}`),
        asOf: asOf(all.result),
      });
    },
  },
  {
    words: "token revoke",
    args: "<id>",
    help: "end a token, now",
    flags: [flag.yes, flag.dryRun, flag.reason],
    examples: ["token revoke 4f1c20aa01b2c3d4 -y"],
    run: async (call) => {
      const id = call.word(0);
      await call.confirm([`token ${id} ends now; who uses it is refused from then on`], "End it?");
      await (await call.hub()).system.revokeToken({ id, change: call.change() }, call.signal);
      call.say(call.flag("dryRun") ? "nothing was changed (--dry-run)" : `token ${id} has ended`);
      return exit.done;
    },
  },
];

async function createToken(call: Call): Promise<number> {
  const hub = await call.hub();
  const name = call.word(0);
  const ttl = ttlOf(call);
  const role = call.text("role") ?? "viewer";
  const request = { name, role, ...(ttl === undefined ? {} : { ttl }), change: call.change() };
  const made = await hub.system.createToken(request, call.signal);
  const out = call.text("tokenOut");
  if (out !== undefined) await call.ports.files.writePrivate(out, `${made.token}\n`);
  const ends = msOf(made.expiresAt);
  return call.show({
    text: (look) => [
      `${name} may sign in with role ${role}${ends === undefined ? "" : ` until ${dateText(ends, look.utcOffset)}`} (token ${made.id})`,
      ...(out === undefined ? ["", made.token, "", "It is shown only now."] : [`its token is in ${out}`]),
    ],
    data: dataOf(CreateTokenResponseSchema, out === undefined ? made : { ...made, token: "" }),
    names: [`token/${made.id}`],
  });
}
