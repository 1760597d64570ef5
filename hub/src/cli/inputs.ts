import { Fault } from "@capstan/proto";
import {
  CheckRepositoryResponseSchema,
  ListRepositoriesResponseSchema,
  ListRootsResponseSchema,
  RootViewSchema,
} from "@capstan/proto/application";
import {
  ApproveDeletionResponseSchema,
  type HeldDeletion,
  HeldDeletionSchema,
  ListDeletionsResponseSchema,
} from "@capstan/proto/fleet";
import { ageCell } from "./age.ts";
import { asOf, dataOf } from "./answer.ts";
import { allPages, type Call } from "./call.ts";
import { exit } from "./exit.ts";
import { counted, type Look, wrapped } from "./look.ts";
import { shortCommit, shortDigest } from "./names.ts";
import { faultLines } from "./screens/fault.ts";
import { repositoryColumns, rootColumns } from "./screens/set.ts";
import { type Column, table } from "./table.ts";
import { changeFlags, flag, listFlags, type Verb } from "./verb.ts";

const itemsShown = 50;

/** `root list`, also as `get roots`. */
export async function listRoots(call: Call): Promise<number> {
  const found = await (await call.hub()).applications.listRoots({}, call.signal);
  return call.show({
    text: (look) =>
      found.roots.length === 0
        ? ["none: `roots` in the hub's config names Git paths to follow (capstan root check URL prints the lines)"]
        : table(rootColumns, found.roots, look),
    data: dataOf(ListRootsResponseSchema, found),
    names: found.roots.map(({ name }) => `root/${name}`),
    asOf: call.ports.clock.now(),
  });
}

/** `repo list`, also as `get repos`. */
export async function listRepositories(call: Call): Promise<number> {
  const hub = await call.hub();
  const pages = await allPages((pageToken) =>
    hub.applications.listRepositories({ options: call.options({ pageToken }) }, call.signal),
  );
  const all = { ...pages[0], repositories: pages.flatMap(({ repositories }) => repositories) };
  return call.show({
    text: (look) =>
      all.repositories.length === 0 ? ["none in use"] : table(repositoryColumns(look), all.repositories, look),
    data: dataOf(ListRepositoriesResponseSchema, all),
    names: all.repositories.map(({ url }) => `repo/${url}`),
    asOf: asOf(all.result),
  });
}

/** `deletion list`, also as `get deletions`. */
export async function listDeletions(call: Call): Promise<number> {
  const hub = await call.hub();
  const pages = await allPages((pageToken) =>
    hub.fleet.listDeletions({ options: call.options({ pageToken }) }, call.signal),
  );
  const all = { ...pages[0], deletions: pages.flatMap(({ deletions }) => deletions) };
  return call.show({
    text: (look) =>
      all.deletions.length === 0 ? ["no removal is held"] : table(deletionColumns(look), all.deletions, look),
    data: dataOf(ListDeletionsResponseSchema, all),
    names: all.deletions.map(({ id }) => `deletion/${id}`),
    asOf: asOf(all.result),
  });
}

const deletionColumns = ({ now }: Look): readonly Column<HeldDeletion>[] => [
  { head: "ID", cell: ({ id }) => shortDigest(id) },
  { head: "RULE", cell: ({ rule }) => rule },
  { head: "ITEMS", cell: ({ items }) => String(items.length) },
  { head: "HELD", cell: ({ since }) => ageCell(since, now) },
  { head: "CAUSE", cell: ({ cause }) => cause, gives: true },
];

const sources: readonly Verb[] = [
  {
    words: "root list",
    help: "Git paths that the hub follows, as its config says",
    flags: [flag.output],
    examples: ["root list"],
    run: listRoots,
  },
  {
    words: "root show",
    args: "<name>",
    help: "one root with what is wrong with it",
    flags: [flag.output],
    examples: ["root show fleet"],
    run: showRoot,
  },
  {
    words: "root check",
    args: "<url>",
    help: "look whether a repository could be a root; prints the lines for the hub's config",
    flags: [
      { flags: "--revision <revision>", help: "branch, tag or commit (default: HEAD)" },
      { flags: "--path <path>", help: "folder in it (default: .)" },
      { flags: "--name <name>", help: "what to call it (default: fleet)" },
      flag.output,
    ],
    examples: ["root check https://git.example.com/fleet.git --revision main --path argocd"],
    run: (call) => checkRepository(call, true),
  },
  {
    words: "repo list",
    help: "repositories in use, when each was fetched, and what is wrong",
    flags: listFlags,
    examples: ["repo list"],
    run: listRepositories,
  },
  {
    words: "repo check",
    args: "<url>",
    help: "say precisely what is wrong with a repository, or at which commit a revision stands",
    flags: [{ flags: "--revision <revision>", help: "branch, tag or commit (default: HEAD)" }, flag.output],
    examples: ["repo check https://git.example.com/shop.git --revision v1.2.0"],
    run: (call) => checkRepository(call, false),
  },
];

const deletions: readonly Verb[] = [
  {
    words: "deletion list",
    help: "removals that a guard holds",
    flags: listFlags,
    examples: ["deletion list"],
    run: listDeletions,
  },
  {
    words: "deletion show",
    args: "<id>",
    help: "exactly what would go, and by which rule it is held",
    flags: [flag.output],
    examples: ["deletion show 4f1c20aa01b2"],
    run: async (call) => {
      const held = await heldBy(call, call.word(0));
      return call.show({
        text: (look) => deletionScreen(held, look),
        data: dataOf(HeldDeletionSchema, held),
        names: [`deletion/${held.id}`],
        asOf: call.ports.clock.now(),
      });
    },
  },
  {
    words: "deletion approve",
    args: "<id>",
    help: "approve exactly one held list; shows it and asks",
    flags: changeFlags,
    examples: ['deletion approve 4f1c20aa01b2 --reason "staging-7 is retired"'],
    run: approve,
  },
];

/** Where things come from, and what is held from going. */
export const inputVerbs: readonly Verb[] = [...sources, ...deletions];

async function showRoot(call: Call): Promise<number> {
  const { roots } = await (await call.hub()).applications.listRoots({}, call.signal);
  const root = roots.find(({ name }) => name === call.word(0));
  if (root === undefined) {
    throw new Fault("not-found", { message: `no root is called ${call.word(0)}.`, next: "See: capstan root list" });
  }
  return call.show({
    text: (look) => [
      `root ${root.name}`,
      `  repository  ${root.repository}`,
      `  revision    ${root.revision}, at ${shortCommit(root.commit) || "no commit yet"}`,
      `  path        ${root.path}`,
      `  documents   ${root.documents}`,
      ...root.faults.flatMap((fault) => faultLines(fault, look, "  ")),
    ],
    data: dataOf(RootViewSchema, root),
    names: [`root/${root.name}`],
    asOf: call.ports.clock.now(),
  });
}

async function checkRepository(call: Call, asRoot: boolean): Promise<number> {
  const url = call.word(0);
  const revision = call.text("revision") ?? "";
  const found = await (await call.hub()).applications.checkRepository({ url, revision }, call.signal);
  const { fault, commit } = found;
  const line = { name: call.text("name") ?? "fleet", path: call.text("path") ?? ".", revision: revision || "HEAD" };
  call.show({
    text: (look) => [
      ...(fault === undefined ? [`${url}: ${revision || "HEAD"} stands at ${commit}`] : faultLines(fault, look)),
      ...(asRoot && fault === undefined
        ? [
            "in the hub's config:",
            "roots:",
            `  - {name: ${line.name}, repoURL: ${JSON.stringify(url)}, revision: ${line.revision}, path: ${JSON.stringify(line.path)}}`,
          ]
        : []),
    ],
    data: dataOf(CheckRepositoryResponseSchema, found),
    names: [`repo/${url}`],
  });
  return fault === undefined ? exit.done : exit.failed;
}

function deletionScreen(held: HeldDeletion, look: Look): string[] {
  const shown = look.wide ? held.items : held.items.slice(0, itemsShown);
  return [
    `${counted(held.items.length, "removal")} held by ${held.rule}, since ${ageCell(held.since, look.now)}`,
    ...wrapped(held.cause, look.width - 2).map((line) => `  ${line}`),
    ...shown.map((item) => `  ${item}`),
    ...(shown.length < held.items.length ? [`  and ${held.items.length - shown.length} more (-o wide)`] : []),
    `id ${held.id}`,
  ];
}

/** A held list by its whole id, or by its first digits where these name one alone. */
async function heldBy(call: Call, text: string): Promise<HeldDeletion> {
  const hub = await call.hub();
  const pages = await allPages((pageToken) => hub.fleet.listDeletions({ options: { pageToken } }, call.signal));
  const bare = text.replace(/^sha256:/, "");
  const found = pages
    .flatMap(({ deletions: some }) => some)
    .filter(({ id }) => id.replace(/^sha256:/, "").startsWith(bare));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  throw new Fault("not-found", {
    message: found.length === 0 ? `no held list is called ${text}.` : `${found.length} held lists begin with ${text}.`,
    next: "See: capstan deletion list",
  });
}

async function approve(call: Call): Promise<number> {
  const held = await heldBy(call, call.word(0));
  if ((call.text("reason") ?? "") === "") {
    throw new Fault("bad-input", { message: "an approval needs a reason.", next: "Give one: --reason TEXT" });
  }
  await call.confirm(deletionScreen(held, call.look), "Let exactly these go?");
  const done = await (await call.hub()).fleet.approveDeletion({ id: held.id, change: call.change() }, call.signal);
  return call.show({
    text: () => [
      call.flag("dryRun") ? "nothing was changed (--dry-run)" : `approved: ${counted(held.items.length, "removal")}`,
    ],
    data: dataOf(ApproveDeletionResponseSchema, done),
    names: [`deletion/${held.id}`],
  });
}
