import { Fault } from "@capstan/proto";
import {
  ApplyDocumentsResponseSchema,
  DeleteDocumentResponseSchema,
  type DocumentView,
  ListDocumentsResponseSchema,
} from "@capstan/proto/application";
import { asOf, dataOf } from "./answer.ts";
import { allPages, type Call } from "./call.ts";
import { exit } from "./exit.ts";
import { counted } from "./look.ts";
import { qualified } from "./names.ts";
import { jsonSchema } from "./schema.ts";
import { allWell, applyScreen, documentName } from "./screens/apply.ts";
import { type Column, table } from "./table.ts";
import { changeFlags, flag, type Verb } from "./verb.ts";

const kinds: Readonly<Record<string, string>> = {
  applicationset: "ApplicationSet",
  applicationsets: "ApplicationSet",
  appset: "ApplicationSet",
  appsets: "ApplicationSet",
  set: "ApplicationSet",
  sets: "ApplicationSet",
  application: "Application",
  applications: "Application",
  app: "Application",
  apps: "Application",
  appproject: "AppProject",
  appprojects: "AppProject",
  project: "AppProject",
  projects: "AppProject",
  cluster: "Cluster",
  clusters: "Cluster",
  configmap: "ConfigMap",
  configmaps: "ConfigMap",
  cm: "ConfigMap",
  rolloutstrategy: "RolloutStrategy",
  rolloutstrategies: "RolloutStrategy",
  strategy: "RolloutStrategy",
  strategies: "RolloutStrategy",
  freezewindow: "FreezeWindow",
  freezewindows: "FreezeWindow",
  freeze: "FreezeWindow",
  freezes: "FreezeWindow",
};

/** A kind by any of its names. Throws `bad-input`. */
export function parseKind(text: string): string {
  const kind = kinds[text.toLowerCase()];
  if (kind !== undefined) return kind;
  throw new Fault("bad-input", {
    message: `expected a kind of document, found ${JSON.stringify(text)}.`,
    next: "One of: appset, app, project, cluster, configmap.",
  });
}

/** `get documents`. */
export async function listDocuments(call: Call, kind = ""): Promise<number> {
  const hub = await call.hub();
  const pages = await allPages((pageToken) =>
    hub.applications.listDocuments({ kind, options: call.options({ pageToken }) }, call.signal),
  );
  const all = { ...pages[0], documents: pages.flatMap(({ documents }) => documents) };
  return call.show({
    text: (look) =>
      all.documents.length === 0 ? ["none yet: capstan apply -f FILE"] : table(columns, all.documents, look),
    data: dataOf(ListDocumentsResponseSchema, all),
    names: all.documents.map(documentName),
    asOf: asOf(all.result),
  });
}

const columns: readonly Column<DocumentView>[] = [
  { head: "DOCUMENT", cell: documentName },
  { head: "NAMESPACE", cell: ({ namespace }) => namespace || "-" },
  { head: "OWNER", cell: ({ owner }) => owner || "-" },
  { head: "FROM", cell: ({ origin }) => origin || "-", gives: true },
  {
    head: "FAULTS",
    cell: ({ faults }) => (faults.length === 0 ? "-" : String(faults.length)),
    tone: ({ faults }) => (faults.length > 0 ? "bad" : undefined),
  },
];

/** `apply`, `delete` and `schema`. */
export const documentVerbs: readonly Verb[] = [
  {
    words: "apply",
    help: "apply documents: ApplicationSets, Applications, AppProjects, Clusters; files as they are",
    flags: [flag.file, flag.dryRun, flag.reason, flag.output],
    examples: ["apply -f argocd/ --dry-run", "apply -f set.yaml", "apply -f - < set.yaml"],
    run: applyDocuments,
  },
  {
    words: "delete",
    args: "<kind> <name>",
    help: "delete a document that no root manages; shows which targets leave, and asks",
    flags: [flag.namespace, ...changeFlags],
    examples: ["delete appset team-apps --dry-run", "delete app argocd/web -y"],
    run: deleteDocument,
  },
  {
    words: "schema",
    args: "<kind>",
    help: "the JSON Schema of a kind of document, for editors",
    examples: ["schema appset > appset.schema.json"],
    run: async (call) => {
      call.ports.screen.out(`${JSON.stringify(jsonSchema(parseKind(call.word(0))), null, 2)}\n`);
      return exit.done;
    },
  },
];

async function applyDocuments(call: Call): Promise<number> {
  const paths = call.list("file");
  if (paths.length === 0) {
    throw new Fault("bad-input", {
      message: "expected -f FILE, a folder, or - for standard input.",
      next: "See --help.",
    });
  }
  const files = (await Promise.all(paths.map((path) => call.ports.files.documents(path)))).flat();
  const hub = await call.hub();
  const response = await hub.applications.applyDocuments({ files, change: call.change() }, call.signal);
  call.show({
    text: (look) => applyScreen(response, call.flag("dryRun"), look),
    data: dataOf(ApplyDocumentsResponseSchema, response),
    names: response.results.map(documentName),
  });
  return allWell(response) ? exit.done : exit.failed;
}

async function deleteDocument(call: Call): Promise<number> {
  const kind = parseKind(call.word(0));
  const slash = call.word(1).indexOf("/");
  const name = call.word(1).slice(slash + 1);
  const namespace = slash > 0 ? call.word(1).slice(0, slash) : (call.text("namespace") ?? "");
  const hub = await call.hub();
  const asked = { kind, namespace, name };
  const planned = await hub.applications.deleteDocument(
    { ...asked, change: { ...call.change(), dryRun: true } },
    call.signal,
  );
  const title = documentName({ kind, namespace, name });
  const what = [
    planned.targets.length === 0
      ? `${title} goes; no target leaves`
      : `${title} goes, and with it ${counted(planned.targets.length, "target")}:`,
    ...planned.targets.slice(0, 20).map((target) => `  ${target}`),
    ...(planned.targets.length > 20 ? [`  and ${planned.targets.length - 20} more`] : []),
    ...(planned.effect === "" ? [] : [planned.effect]),
  ];
  await call.confirm(what, `Delete ${qualified({ namespace, name })}?`);
  const dryRun = call.flag("dryRun");
  const done = dryRun
    ? planned
    : await hub.applications.deleteDocument({ ...asked, change: call.change() }, call.signal);
  return call.show({
    text: () => (dryRun ? [...what, "nothing was changed (--dry-run)"] : [`${title} is deleted`]),
    data: dataOf(DeleteDocumentResponseSchema, done),
    names: [title],
  });
}
