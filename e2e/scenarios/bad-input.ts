import type { Files } from "../world/repository.ts";
import { configApp } from "./plain-fleet.ts";

/** Something wrong in a repository, and what must be said of it. */
export interface BadInput {
  /** Of the Application or set that is wrong, where it is one; people ask `why` with it. */
  readonly subject?: string;
  readonly files: Files;
  readonly code: string;
  /** Fits the message, its places and its next step. */
  readonly says: readonly RegExp[];
  /** Where the document itself is wrong: at which line and column of its file, counted from 1. */
  readonly at?: { readonly line: number; readonly column?: number };
}

/** Where the mistakes point to. */
export interface BadInputPlace {
  readonly repoURL: string;
  /** A repository that wants credentials. */
  readonly locked: string;
  /** A repository that is not there. */
  readonly absent: string;
}

/** One mistake each; all of them may stand side by side. */
export function badInputs(place: BadInputPlace): readonly BadInput[] {
  const here = { repoURL: place.repoURL, revision: "main", cluster: "c-01" };
  const app: MakeApp = (subject, more = {}) => ({
    [`argocd/${subject}.yaml`]: application(subject, { ...here, path: `bad/${subject}`, ...more }),
  });
  return [...badDocuments(here), ...badReferences(place, app), ...badSources(app)];
}

/** The files of an Application of that name. */
type MakeApp = (subject: string, more?: Partial<Source>) => Files;

/** What the documents themselves have wrong. */
function badDocuments(here: Pick<Source, "repoURL">): readonly BadInput[] {
  return [
    {
      files: { "argocd/broken.yaml": "apiVersion: v1\nkind: [ConfigMap\nmetadata: {}\n" },
      code: "bad-yaml",
      says: [/no YAML/],
      at: { line: 3, column: 1 },
    },
    {
      files: { "argocd/odd.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Aplication\nmetadata:\n  name: odd\n" },
      code: "unknown-kind",
      says: [/Aplication/],
      at: { line: 1 },
    },
    {
      subject: "dreamer",
      files: { "argocd/dreamer.yaml": set("dreamer", "dreams: {}", "dreamer", here) },
      code: "unknown-generator",
      says: [/names no generator.*found dreams.*typing error/, /generators\[0\]/],
      at: { line: 9, column: 7 },
    },
    {
      subject: "twin-b",
      files: {
        "argocd/twin-a.yaml": set("twin-a", "list: { elements: [{}] }", "twin", here),
        "argocd/twin-b.yaml": set("twin-b", "list: { elements: [{}] }", "twin", here),
      },
      code: "name-conflict",
      says: [/twin-a/, /twin-b/],
    },
  ];
}

/** Documents that point to what is not there. */
function badReferences({ locked, absent }: BadInputPlace, app: MakeApp): readonly BadInput[] {
  return [
    {
      subject: "nowhere",
      files: { ...app("nowhere", { cluster: "c-99", path: "apps/shop" }) },
      code: "unknown-cluster",
      says: [/c-99/],
    },
    { subject: "absent", files: app("absent", { repoURL: absent }), code: "repository-not-found", says: [/absent/] },
    { subject: "locked", files: app("locked", { repoURL: locked }), code: "repository-auth", says: [/locked/] },
    {
      subject: "no-revision",
      files: app("no-revision", { revision: "v9.9.9", path: "apps/shop" }),
      code: "revision-not-found",
      says: [/v9\.9\.9/],
    },
    { subject: "no-path", files: app("no-path"), code: "path-not-found", says: [/bad\/no-path/] },
  ];
}

/** What is wrong in the folder that an Application names. */
function badSources(app: MakeApp): readonly BadInput[] {
  const manifest = (subject: string, text: string, code: string, says: readonly RegExp[]): BadInput => ({
    subject,
    files: { ...app(subject), [`bad/${subject}/it.yaml`]: text },
    code,
    says,
  });
  return [
    {
      subject: "empty-path",
      files: { ...app("empty-path"), "bad/empty-path/README.txt": "nothing here\n" },
      code: "path-empty",
      says: [/bad\/empty-path/],
    },
    manifest("no-kind", "apiVersion: v1\nmetadata:\n  name: x\n", "bad-manifest", [/kind/, /bad\/no-kind\/it\.yaml/]),
    manifest("no-name", "apiVersion: v1\nkind: ConfigMap\n", "bad-manifest", [/name/, /bad\/no-name\/it\.yaml/]),
    manifest("twice", `${configApp("1")}---\n${configApp("2")}`, "bad-manifest", [
      /settings/,
      /it\.yaml:1 /,
      /it\.yaml:8/,
    ]),
    manifest("too-large", `# ${"x".repeat(1024 * 1024)}\n${configApp("1")}`, "too-large", [/bad\/too-large\/it\.yaml/]),
    manifest("bomb", yamlBomb, "bad-yaml", [/bad\/bomb\/it\.yaml/, /aliases/]),
    {
      subject: "bad-value",
      files: {
        ...app("bad-value"),
        "bad/bad-value/Chart.yaml": "apiVersion: v2\nname: bad-value\nversion: 1.0.0\n",
        "bad/bad-value/values.yaml": "replicas: [unclosed\n",
        "bad/bad-value/templates/it.yaml": configApp("1"),
      },
      code: "render-failed",
      says: [/values\.yaml/],
    },
  ];
}

interface Source {
  readonly repoURL: string;
  readonly revision: string;
  readonly path: string;
  readonly cluster: string;
}

function application(name: string, { repoURL, revision, path, cluster }: Source): string {
  return `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: ${name}
  namespace: argocd
spec:
  project: any
  source: { repoURL: "${repoURL}", targetRevision: ${revision}, path: ${path} }
  destination: { name: ${cluster}, namespace: ${name} }
  syncPolicy: { automated: {}, syncOptions: [CreateNamespace=true] }
`;
}

function set(name: string, generator: string, makes: string, { repoURL }: Pick<Source, "repoURL">): string {
  return `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: ${name}
  namespace: argocd
spec:
  goTemplate: true
  generators:
    - ${generator}
  template:
    metadata:
      name: ${makes}
    spec:
      project: any
      source: { repoURL: "${repoURL}", targetRevision: main, path: apps/shop }
      destination: { name: c-01, namespace: ${name} }
      syncPolicy: { automated: {}, syncOptions: [CreateNamespace=true] }
`;
}

/** Nine lists of nine of the one before: a few lines that would become 387 million. */
const yamlBomb = `apiVersion: v1
kind: ConfigMap
metadata: { name: bomb }
data:
  a: &a [x, x, x, x, x, x, x, x, x]
${["b", "c", "d", "e", "f", "g", "h", "i"]
  .map((name, at) => `  ${name}: &${name} [${Array(9).fill(`*${"abcdefgh"[at]}`).join(", ")}]`)
  .join("\n")}
`;
