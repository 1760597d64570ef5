import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Fault } from "@capstan/proto";
import { type ApplicationService, type DocumentView, DocumentViewSchema } from "@capstan/proto/application";
import { ListResultSchema } from "@capstan/proto/common";
import type { Document, DocumentKind } from "../documents/model.ts";
import { documentKey } from "../documents/registry.ts";
import { applyDocuments, managedElsewhere } from "./apply.ts";
import { checkEtag } from "./call.ts";
import { expectClusters } from "./clusters-asked.ts";
import { etagOfText, printed } from "./etag.ts";
import { ambiguous } from "./names.ts";
import { page } from "./page.ts";
import type { PeopleCalls } from "./people-calls.ts";
import type { World } from "./port.ts";
import { masked } from "./read-mask.ts";
import type { Seen } from "./seen.ts";
import type { Implementation } from "./service.ts";
import { placeText } from "./target-views.ts";
import { faultDetail } from "./views.ts";

type Methods = Pick<
  Implementation<typeof ApplicationService>,
  "applyDocuments" | "deleteDocument" | "listDocuments" | "getDocument"
>;

const kindNames: Readonly<Record<string, DocumentKind>> = {
  applicationset: "ApplicationSet",
  appset: "ApplicationSet",
  set: "ApplicationSet",
  application: "Application",
  app: "Application",
  appproject: "AppProject",
  project: "AppProject",
  cluster: "Cluster",
  configmap: "ConfigMap",
  cm: "ConfigMap",
  rolloutstrategy: "RolloutStrategy",
  strategy: "RolloutStrategy",
  freezewindow: "FreezeWindow",
  freeze: "FreezeWindow",
};

/** The calls about documents. */
export function documentCalls({ calls, world, sight }: PeopleCalls): Methods {
  return {
    async applyDocuments({ files, change }, context) {
      const names = files.map(({ name }) => name).slice(0, 5);
      const resource = `document/${names.join(",")}${files.length > names.length ? ",…" : ""}`;
      return calls.change(context, { action: "document.apply", resource, change }, ({ name }, signal) =>
        applyDocuments({ files, actor: name, dryRun: change?.dryRun === true }, world, { seen: sight.now(), signal }),
      );
    },
    async deleteDocument({ kind, namespace, name, change }, context) {
      const document = oneDocument(world, { kind, namespace, name });
      const key = documentKey(document);
      return calls.change(context, { action: "document.delete", resource: key, change }, async (caller, signal) => {
        checkEtag(change, documentEtag(document), key);
        if (!document.origin.owner.startsWith("cli:")) throw managedElsewhere(document);
        const seen = sight.now();
        const leaving = leavingWith(document, seen);
        const answer = { targets: leaving.map(placeText), effect: effectOf(document, leaving) };
        if (change?.dryRun === true) return answer;
        const who = { by: caller.name, reason: change?.reason || `deleted ${key}` };
        const list = leaving.map(({ key: target, cluster }) => ({ target, cluster }));
        await world.guard.approveNamed(key, list, who, signal);
        await world.documents.take({ puts: [], deletes: [document], unchanged: [], conflicts: [] }, signal);
        return answer;
      });
    },
    async listDocuments({ kind, options }, context) {
      calls.look(context, "document.list", "document");
      const all = world.documents.registry.all(kind === "" ? undefined : kindOf(kind));
      const view = (document: Document) => ({
        id: documentKey(document),
        labels: document.metadata.labels,
        namespace: document.metadata.namespace,
      });
      const seen = sight.now();
      expectClusters(options?.clusters, { clusters: world.clusters, rows: seen.rows });
      const { items, nextPageToken, total } = page(all, view, options);
      const documents = items.map((document) => documentView(document, seen));
      const result = create(ListResultSchema, { nextPageToken, total, asOf: timestampFromMs(world.clock.now()) });
      return { documents: masked(DocumentViewSchema, documents, options), result };
    },
    async getDocument({ kind, namespace, name }, context) {
      calls.look(context, "document.get", `document/${kind}/${namespace}/${name}`);
      return { document: documentView(oneDocument(world, { kind, namespace, name }), sight.now()) };
    },
  };
}

interface DocumentName {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** The document that is meant; a namespace left empty matches where the name is unique. Throws `not-found`, `bad-input`. */
function oneDocument(world: World, { kind, namespace, name }: DocumentName): Document {
  const found = world.documents.registry.all(kindOf(kind)).filter(({ metadata }) => {
    return metadata.name === name && (namespace === "" || metadata.namespace === namespace);
  });
  const [only] = found;
  if (only === undefined) {
    const place = namespace === "" ? name : `${namespace}/${name}`;
    throw new Fault("not-found", {
      message: `no ${kindOf(kind)} is called ${place}.`,
      next: `See: capstan get ${kindOf(kind).toLowerCase()}s`,
    });
  }
  if (found.length > 1) {
    throw ambiguous(
      name,
      "documents",
      found.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
    );
  }
  return only;
}

function kindOf(text: string): DocumentKind {
  const kind = kindNames[text.toLowerCase().replace(/s$/, "")];
  if (kind !== undefined) return kind;
  throw new Fault("bad-input", {
    message: `expected a kind of ApplicationSet, Application, AppProject, Cluster, ConfigMap, found ${JSON.stringify(text)}.`,
  });
}

/** A document as people see it. */
function documentView(document: Document, seen: Seen): DocumentView {
  const { kind, metadata, origin, raw } = document;
  const { owner, file, line, revision } = origin;
  const state = seen.world.releases.state(`${metadata.namespace}/${metadata.name}`);
  const mine = state?.kind === kind ? [...state.faults, ...state.targetFaults.values()] : [];
  return create(DocumentViewSchema, {
    kind,
    namespace: metadata.namespace,
    name: metadata.name,
    owner,
    origin: `${file}:${line}${revision === "" ? "" : ` at ${revision.slice(0, 7)}`}`,
    json: printed(raw),
    etag: documentEtag(document),
    faults: mine.map((fault) => faultDetail(fault)),
  });
}

function documentEtag({ raw }: Document): string {
  return etagOfText(printed(raw));
}

/** Targets that leave with their set or Application. */
function leavingWith({ kind, metadata }: Document, seen: Seen) {
  if (kind !== "ApplicationSet" && kind !== "Application") return [];
  const owner = `${metadata.namespace}/${metadata.name}`;
  return seen.rows.filter((row) => row.owner === owner && row.held !== undefined);
}

function effectOf({ kind }: Document, leaving: ReturnType<typeof leavingWith>): string {
  if (kind === "Cluster") return "what the cluster runs stays; what the CLI set of it holds again";
  if (kind === "ConfigMap") return "generators that read it fail, and what they made stays";
  if (kind === "AppProject") return "targets of this project keep what they hold and get nothing new";
  const deleted = leaving.filter(({ desired }) => desired?.policy?.keepObjectsOnRemoval === false).length;
  const kept = leaving.length - deleted;
  const parts = [
    ...(deleted === 0 ? [] : [`the objects of ${deleted} targets are deleted`]),
    ...(kept === 0 ? [] : [`the objects of ${kept} targets stay, unmanaged (no resources finalizer)`]),
  ];
  return parts.length === 0 ? "no target leaves" : parts.join("; ");
}
