import { create } from "@bufbuild/protobuf";
import { type Digest, Fault, parseDigest } from "@capstan/proto";
import {
  type ApplicationService,
  type DiffGroup,
  DiffGroupSchema,
  type DiffTargetsRequest,
} from "@capstan/proto/application";
import type { DesiredTarget } from "@capstan/proto/desired";
import { parseDocuments } from "../documents/parse.ts";
import { asApplication, asApplicationSet, asAppProject } from "../documents/views.ts";
import type { Preview, PreviewRequest } from "../releases/preview.ts";
import { gathered } from "./apply.ts";
import { expectClusters } from "./clusters-asked.ts";
import { manifestsYaml, noSide, objectsOf, type Side, settingsYaml, unifiedDiff } from "./manifests.ts";
import { ambiguous, oneLane, targetsMeant } from "./names.ts";
import type { PeopleCalls } from "./people-calls.ts";
import type { World } from "./port.ts";
import type { Row } from "./rows.ts";
import type { Seen } from "./seen.ts";
import type { Implementation } from "./service.ts";
import { placeText } from "./target-views.ts";
import { faultDetail } from "./views.ts";
import { within } from "./within.ts";

type Methods = Pick<Implementation<typeof ApplicationService>, "renderTarget" | "diffTargets">;

/** How long working out a difference may take, in milliseconds. */
const diffTime = 60_000;
/** Longest difference of one group, and of all, in characters: an answer has its limits. */
const groupLimit = 256 * 1024;
const allLimit = 8 * 1024 * 1024;

/** The calls that show manifests. */
export function manifestCalls({ calls, world, sight }: PeopleCalls): Methods {
  return {
    async renderTarget({ name, cluster, revision }, context) {
      calls.look(context, "target.render", `target/${name}`);
      const row = oneTarget(name, cluster, sight.now());
      if (revision !== "") return renderAnew(row, revision, world, context.signal);
      const bundle = row.desired?.bundle ?? row.wanted?.target?.bundle;
      if (bundle === undefined) throw row.fault ?? unmade(row);
      const objects = objectsOf(await bytesOf(parseDigest(bundle.digest), world, context.signal));
      return { yaml: manifestsYaml(objects), digest: bundle.digest };
    },
    async diffTargets(request, context) {
      calls.look(context, "target.diff", "target");
      const seen = sight.now();
      expectClusters(request.clusters, { clusters: world.clusters, rows: seen.rows });
      const given = { ms: diffTime, signal: context.signal };
      return within(world.clock, given, async (signal) => {
        const faults: Fault[] = [];
        const pairs = await asked(request, seen, { world, faults, signal });
        return { groups: await grouped(pairs, { world, faults, signal }), faults: gathered(faults) };
      });
    },
  };
}

interface Work {
  readonly world: World;
  readonly faults: Fault[];
  readonly signal: AbortSignal;
}

/** The targets that the request asks about, before and after. */
async function asked(request: DiffTargetsRequest, seen: Seen, work: Work): Promise<Pair[]> {
  const { files, revision, lane, clusters } = request;
  const key = lane === "" ? undefined : oneLane(lane, seen);
  const chosen = new Set(clusters);
  const wants = (row: Pick<Row, "cluster">, laneKey: string | undefined) =>
    (chosen.size === 0 || chosen.has(row.cluster)) && (key === undefined || laneKey === key);
  if (files.length === 0 && revision === "") {
    return seen.rows.filter((row) => wants(row, row.laneKey)).flatMap(pendingPair);
  }
  const owner = key === undefined ? undefined : key.slice(0, key.indexOf(":"));
  const requests = files.length > 0 ? requestsOf(files, work.faults) : everyOwner(seen, revision);
  const pairs: Pair[] = [];
  const missing: Fault[] = [];
  let found = false;
  for (const each of requests.filter((one) => owner === undefined || one.owner === owner)) {
    const rows = seen.rows.filter((row) => row.owner === each.owner);
    const laneOf = new Map(rows.map((row) => [row.key, row.laneKey] as const));
    const preview = await previewed(each, { ...work, missing });
    found ||= preview?.revisionFound === true;
    const made = preview === undefined ? [] : pairsOf(preview, rows);
    pairs.push(...made.filter((pair) => wants(pair, laneOf.get(pair.key) ?? key)));
  }
  // A revision that only some repositories have is theirs; one that none has is a slip of the pen, not "no differences".
  if (!found && missing[0] !== undefined) throw missing[0];
  return pairs;
}

function oneTarget(name: string, cluster: string, seen: Seen): Row {
  const rows = targetsMeant(name, cluster, seen);
  const [row] = rows;
  if (row !== undefined && rows.length === 1) return row;
  throw ambiguous(name, "targets", rows.map(placeText));
}

async function renderAnew(row: Row, revision: string, world: World, signal: AbortSignal) {
  const wanted = (key: string, cluster: string) => key === row.key && cluster === row.cluster;
  const preview = await world.releases.preview({ owner: row.owner, revision, wanted }, signal);
  const fault = preview.targetFaults.get(row.key);
  if (fault !== undefined) throw fault;
  const made = preview.targets.find(({ target }) => wanted(target.key, target.cluster));
  if (made?.bundle === undefined) throw unmade(row);
  const { digest, bytes } = made.bundle;
  const objects = objectsOf(bytes ?? (await bytesOf(digest, world, signal)));
  const warnings = made.warnings.map((message) => faultDetail(new Fault("bad-manifest", { message })));
  return { yaml: manifestsYaml(objects), digest, warnings };
}

function unmade(row: Row): Fault {
  return new Fault("not-found", {
    message: `${placeText(row)} has no manifests: nothing makes it there.`,
    where: { target: row.key, ...(row.cluster === "" ? {} : { cluster: row.cluster }) },
    next: `See: capstan why ${row.key}`,
  });
}

async function bytesOf(digest: Digest, world: World, signal: AbortSignal): Promise<Uint8Array> {
  const bytes = await world.bundles.read(digest, signal);
  if (bytes !== undefined) return bytes;
  throw new Fault("not-found", { message: `the bundle ${digest} is no longer stored.` });
}

/** A target before and after. */
interface Pair {
  readonly key: Row["key"];
  readonly cluster: Row["cluster"];
  readonly change: "added" | "removed" | "changed" | "moved";
  readonly before: Half | undefined;
  readonly after: Half | undefined;
}

interface Half {
  readonly digest: Digest;
  readonly bytes?: Uint8Array | undefined;
  readonly settings: DesiredTarget | undefined;
}

function half(target: DesiredTarget | undefined): Half | undefined {
  const digest = target?.bundle?.digest;
  return digest === undefined ? undefined : { digest: parseDigest(digest), settings: target };
}

/** What Git asks now against what is desired. */
function pendingPair(row: Row): Pair[] {
  const { key, cluster } = row;
  if (row.wanted?.content === row.held || row.fault !== undefined) return [];
  const [before, after] = [half(row.desired), half(row.wanted?.target)];
  const change = before === undefined ? "added" : row.wanted === undefined ? "removed" : "changed";
  return [{ key, cluster, change, before, after }];
}

function pairsOf(preview: Preview, rows: readonly Row[]): Pair[] {
  const held = new Map(rows.filter((row) => row.held !== undefined).map((row) => [`${row.key} ${row.cluster}`, row]));
  const places = new Map(rows.filter((row) => row.held !== undefined).map((row) => [row.key, row]));
  const pairs: Pair[] = [];
  for (const { target, content, desired, bundle } of preview.targets) {
    const { key, cluster } = target;
    const here = held.get(`${key} ${cluster}`);
    held.delete(`${key} ${cluster}`);
    if (content === undefined || bundle === undefined || content === here?.held) continue;
    const elsewhere = here === undefined ? places.get(key) : undefined;
    if (elsewhere !== undefined) held.delete(`${key} ${elsewhere.cluster}`);
    const change = here !== undefined ? "changed" : elsewhere !== undefined ? "moved" : "added";
    const after = { digest: bundle.digest, bytes: bundle.bytes, settings: desired };
    pairs.push({ key, cluster, change, before: half((here ?? elsewhere)?.desired), after });
  }
  if (!preview.complete) return pairs;
  const left = [...held.values()].filter((row) => !preview.targetFaults.has(row.key));
  const made = new Set(preview.targets.map(({ target }) => target.key));
  const gone = left.filter((row) => !made.has(row.key));
  return [
    ...pairs,
    ...gone.map((row): Pair => {
      return { key: row.key, cluster: row.cluster, change: "removed", before: half(row.desired), after: undefined };
    }),
  ];
}

/** Also documents that a root manages may be compared: that is how a change to Git is looked at. */
function requestsOf(
  files: readonly { readonly name: string; readonly content: string }[],
  faults: Fault[],
): PreviewRequest[] {
  const parsed = files.map(({ name, content }) => parseDocuments(content, { owner: "", file: name, revision: "" }));
  faults.push(...parsed.flatMap((each) => each.faults));
  const documents = parsed.flatMap((each) => each.documents);
  const projects = documents.filter(({ kind }) => kind === "AppProject").map(asAppProject);
  return documents.flatMap((document): PreviewRequest[] => {
    const owner = `${document.metadata.namespace}/${document.metadata.name}`;
    if (document.kind === "ApplicationSet") return [{ owner, set: asApplicationSet(document), projects }];
    return document.kind === "Application" ? [{ owner, application: asApplication(document), projects }] : [];
  });
}

function everyOwner(seen: Seen, revision: string): PreviewRequest[] {
  return [...seen.world.releases.states()].map(({ owner }) => ({ owner, revision }));
}

interface Search extends Work {
  /** Takes the faults of repositories that have no such revision. */
  readonly missing: Fault[];
}

async function previewed(
  request: PreviewRequest,
  { world, faults, missing, signal }: Search,
): Promise<Preview | undefined> {
  try {
    const preview = await world.releases.preview(request, signal);
    faults.push(...preview.faults, ...preview.targetFaults.values());
    return preview;
  } catch (thrown) {
    const fault = Fault.from(thrown);
    // Another repository than the one that was meant: nothing of it changes.
    const elsewhere = request.revision !== undefined && fault.code === "revision-not-found";
    (elsewhere ? missing : faults).push(fault.at({ set: request.owner }));
    return undefined;
  }
}

/** Equal differences together, the largest group first. */
async function grouped(pairs: readonly Pair[], { world, faults, signal }: Work): Promise<DiffGroup[]> {
  const groups = new Map<string, DiffGroup>();
  let size = 0;
  for (const pair of pairs) {
    try {
      const [before, after] = [await side(pair.before, world, signal), await side(pair.after, world, signal)];
      const whole = unifiedDiff(before, after);
      if (whole === "" && pair.change === "changed") continue;
      const text = whole.length > groupLimit ? `${whole.slice(0, groupLimit)}\n… cut here\n` : whole;
      const known = groups.get(`${pair.change} ${text}`);
      if (known !== undefined) known.targets.push(placeText(pair));
      else {
        size += text.length;
        const diff = size > allLimit ? "… left out: the whole difference is too large\n" : text;
        groups.set(
          `${pair.change} ${text}`,
          create(DiffGroupSchema, { change: pair.change, targets: [placeText(pair)], diff }),
        );
      }
    } catch (thrown) {
      signal.throwIfAborted();
      faults.push(Fault.from(thrown).at({ target: pair.key, cluster: pair.cluster }));
    }
  }
  return [...groups.values()].sort((a, b) => b.targets.length - a.targets.length);
}

async function side(given: Half | undefined, world: World, signal: AbortSignal): Promise<Side> {
  if (given === undefined) return noSide;
  const bytes = given.bytes ?? (await bytesOf(given.digest, world, signal));
  return { objects: objectsOf(bytes), settings: settingsYaml(given.settings) };
}
