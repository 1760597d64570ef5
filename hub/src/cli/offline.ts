import { Fault } from "@capstan/proto";
import { documentedClusters } from "../clusters/documented.ts";
import { defaultArgocd } from "../clusters/model.ts";
import type { ApplicationSet, Document, Json, JsonObject } from "../documents/model.ts";
import { parseDocuments } from "../documents/parse.ts";
import { asApplicationSet } from "../documents/views.ts";
import { generate } from "../generators/generate.ts";
import type { ClusterParams, GenerateResult, GitSnapshot } from "../generators/model.ts";
import { TemplateEngine } from "../template/engine.ts";
import { readYaml } from "../yaml/read.ts";
import { allPages, type Call } from "./call.ts";
import { faultLines } from "./exit.ts";

/** A set out of a file, with what its generators make of it. */
export interface OfflineSet {
  readonly document: Document;
  /** The file's text, for places within it. */
  readonly text: string;
  readonly result: GenerateResult;
}

interface Input {
  readonly sets: readonly { readonly document: Document; readonly set: ApplicationSet; readonly text: string }[];
  readonly projects: ReadonlySet<string>;
}

/** Flags of every verb that generates from files. */
export const offlineFlags = {
  clusters: {
    flags: "--clusters <file>",
    help: "Cluster documents, or Argo CD's cluster Secrets (without it the hub's clusters, where a generator asks for them)",
  },
  repo: {
    flags: "--repo <path>",
    help: "a folder that stands for every repository, or URL=FOLDER for one (several times)",
    many: true,
  },
  strict: { flags: "--strict", help: "the first fault stops the set, as in Argo CD" },
} as const;

/** The sets of `-f`, each with its result. Faults of files go to the error output; throws where there is no set. */
export async function generateFiles(call: Call): Promise<readonly OfflineSet[]> {
  const { sets, projects } = await readInput(call);
  const clusters = await clustersFor(
    call,
    sets.map(({ set }) => set),
  );
  const git = new FolderGit(call);
  const engine = new TemplateEngine();
  const results: OfflineSet[] = [];
  for (const { document, set, text } of sets) {
    const compat = call.flag("strict") || set.metadata.annotations["capstan.dev/compat"] === "strict";
    for (;;) {
      const result = generate(engine, {
        set,
        clusters: clusters ?? [],
        projects,
        git,
        compat: compat ? "strict" : "isolate",
        newGitFileGlobbing: set.metadata.annotations["capstan.dev/git-globbing"] === "doublestar",
      });
      if (result.needs.length > 0 && (await git.load(result.needs))) continue;
      results.push({ document, text, result: clusters === undefined ? withoutDestinations(result) : result });
      break;
    }
  }
  return results;
}

async function readInput(call: Call): Promise<Input> {
  const paths = call.list("file");
  if (paths.length === 0)
    throw new Fault("bad-input", { message: "expected -f FILE, found none.", next: "Name the set's file." });
  const files = (await Promise.all(paths.map((path) => call.ports.files.documents(path)))).flat();
  const sets: Input["sets"][number][] = [];
  const projects = new Set(["default"]);
  for (const { name, content } of files) {
    const { documents, faults } = parseDocuments(content, { owner: "cli:files", file: name, revision: "" });
    for (const fault of faults) call.ports.screen.err(faultLines(fault));
    for (const document of documents) {
      if (document.kind === "ApplicationSet") sets.push({ document, set: asApplicationSet(document), text: content });
      if (document.kind === "AppProject") projects.add(document.metadata.name);
    }
  }
  if (sets.length === 0)
    throw new Fault("bad-input", {
      message: "the files hold no ApplicationSet that can be read.",
      next: "Name its file.",
    });
  return { sets, projects: projects.size > 1 ? projects : new AnyName(projects) };
}

/** Without AppProjects among the files any project may exist. */
class AnyName extends Set<string> {
  override has(): boolean {
    return true;
  }
}

/** Those of the file, else the hub's; undefined: nobody asked for clusters, so that none are known. */
async function clustersFor(call: Call, sets: readonly ApplicationSet[]): Promise<readonly ClusterParams[] | undefined> {
  const file = call.text("clusters");
  if (file !== undefined) return clustersOfFile(await call.ports.files.read(file), file);
  if (!sets.some(({ spec }) => asksClusters(spec.generators))) return undefined;
  const hub = await call.hub();
  const pages = await allPages((pageToken) => hub.fleet.listClusters({ options: { pageToken } }, call.signal));
  return pages
    .flatMap(({ clusters }) => clusters)
    .map(({ id, labels, annotations, argocdName, argocdServer }) => ({
      name: argocdName === "" ? id : argocdName,
      server: argocdServer === "" ? defaultArgocd(id as Parameters<typeof defaultArgocd>[0]).server : argocdServer,
      labels,
      annotations,
    }));
}

function asksClusters(generators: readonly JsonObject[]): boolean {
  return generators.some((entry) => {
    const inner = ["matrix", "merge"].flatMap((kind) => {
      const children = (entry[kind] as JsonObject | undefined)?.["generators"];
      return Array.isArray(children) ? (children as readonly JsonObject[]) : [];
    });
    return "clusters" in entry || asksClusters(inner);
  });
}

/** Cluster documents, and Secrets as Argo CD keeps its clusters. Throws `bad-input` where there is neither. */
export function clustersOfFile(text: string, file: string): readonly ClusterParams[] {
  const { documents, faults } = parseDocuments(text, { owner: "cli:files", file, revision: "" });
  const declared = documentedClusters(documents.filter(({ kind }) => kind === "Cluster"));
  const found = [...declared.values()].map(({ declaration }): ClusterParams => {
    const { name, server, project } = declaration.argocd;
    const { labels, annotations } = declaration;
    return { name, server, labels, annotations, ...(project === undefined ? {} : { project }) };
  });
  const secrets = readYaml(text, { file }).flatMap(({ value }) => items(value).flatMap(secretCluster));
  if (found.length + secrets.length > 0) return [...found, ...secrets];
  if (faults[0] !== undefined) throw faults[0];
  throw new Fault("bad-input", {
    message: "expected Cluster documents or Argo CD's cluster Secrets, found neither.",
    where: { file },
    next: "kubectl get secrets -n argocd -l argocd.argoproj.io/secret-type=cluster -o yaml prints the latter.",
  });
}

function items(value: Json): readonly JsonObject[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  const object = value as JsonObject;
  const list = object["items"];
  return Array.isArray(list) ? (list as readonly JsonObject[]) : [object];
}

/** Name, server and project stand in `stringData` as text, or in `data` as base64; nothing else is read. */
function secretCluster(secret: JsonObject): ClusterParams[] {
  const metadata = (secret["metadata"] ?? {}) as JsonObject;
  const labels = (metadata["labels"] ?? {}) as Readonly<Record<string, string>>;
  if (secret["kind"] !== "Secret" || labels["argocd.argoproj.io/secret-type"] !== "cluster") return [];
  const plain = (secret["stringData"] ?? {}) as Readonly<Record<string, string>>;
  const data = (secret["data"] ?? {}) as Readonly<Record<string, string>>;
  const field = (name: string) => plain[name] ?? (data[name] === undefined ? undefined : decoded(data[name]));
  const project = field("project");
  return [
    {
      name: field("name") ?? (metadata["name"] as string | undefined) ?? "",
      server: field("server") ?? "",
      labels,
      annotations: (metadata["annotations"] ?? {}) as Readonly<Record<string, string>>,
      ...(project === undefined ? {} : { project }),
    },
  ];
}

function decoded(base64: string): string {
  return new TextDecoder().decode(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
}

/** Folders in the place of repositories, at every revision. */
class FolderGit implements GitSnapshot {
  readonly #call: Call;
  readonly #paths = new Map<string, readonly string[]>();
  readonly #texts = new Map<string, string>();

  constructor(call: Call) {
    this.#call = call;
  }

  #folderOf(repoURL: string): string | undefined {
    const given = this.#call.list("repo").map((word) => /^([^=]*:[^=]*)=(.+)$/.exec(word) ?? [word, undefined, word]);
    return (given.find(([, url]) => url === repoURL) ?? given.find(([, url]) => url === undefined))?.[2];
  }

  tree(repoURL: string): ReturnType<GitSnapshot["tree"]> {
    const folder = this.#folderOf(repoURL);
    const common = { commit: "", complete: true };
    if (folder === undefined) {
      const fault = new Fault("bad-input", {
        message: "no folder stands for this repository.",
        where: { repository: repoURL },
        next: "Say --repo FOLDER, or --repo URL=FOLDER.",
      });
      return { ...common, paths: () => [], text: () => undefined, fault };
    }
    const paths = this.#paths.get(folder);
    if (paths === undefined) return undefined;
    return { ...common, paths: () => paths, text: (path) => this.#texts.get(`${folder}/${path}`) };
  }

  /** Reads what is needed; false: nothing more can be. */
  async load(needs: GenerateResult["needs"]): Promise<boolean> {
    const { files } = this.#call.ports;
    let more = false;
    for (const { repoURL, path } of needs) {
      const folder = this.#folderOf(repoURL);
      if (folder === undefined) continue;
      if (!this.#paths.has(folder)) {
        this.#paths.set(folder, await files.list(folder));
        more = true;
      } else if (path !== undefined && !this.#texts.has(`${folder}/${path}`)) {
        this.#texts.set(`${folder}/${path}`, await files.read(`${folder}/${path}`));
        more = true;
      }
    }
    return more;
  }
}

/** Where no cluster is known, no destination is unknown. */
function withoutDestinations(result: GenerateResult): GenerateResult {
  const rejected = result.rejected.filter(({ rejection }) => rejection !== "destination-invalid");
  const fine = result.rejected.filter(({ rejection }) => rejection === "destination-invalid");
  return { ...result, applications: [...result.applications, ...fine], rejected };
}
