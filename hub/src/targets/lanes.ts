import type { Application, ApplicationSource } from "../documents/model.ts";

/** The source that names an application's lane: the first that has manifests of its own. */
export function laneSource(application: Application): ApplicationSource | undefined {
  const { source, sources } = application.spec;
  const all = sources !== undefined && sources.length > 0 ? sources : source === undefined ? [] : [source];
  return all.find((each) => each.path !== undefined || each.chart !== undefined) ?? all[0];
}

/** Targets of a set with the same key are one lane: repository and path or chart (design §1). */
export function laneIdentity(application: Application): string {
  const source = laneSource(application);
  return JSON.stringify([source?.repoURL ?? "", source?.chart ?? "", trimmed(source?.path ?? "")]);
}

/**
 * Names for the lanes of one set, unique in it: the path's last segment or the chart; where two would be called the same,
 * as many more segments of the path as tell them apart, then the repository's name.
 */
export function nameLanes(identities: Iterable<string>): ReadonlyMap<string, string> {
  const parts = new Map([...new Set(identities)].sort().map((identity) => [identity, segments(identity)] as const));
  const names = new Map<string, string>();
  for (const [identity, all] of parts) {
    let take = 1;
    while (take < all.length && clashes(parts, identity, all.slice(-take).join("/"))) take += 1;
    names.set(identity, all.slice(-take).join("/") || "root");
  }
  return numbered(names);
}

function clashes(parts: ReadonlyMap<string, readonly string[]>, identity: string, name: string): boolean {
  const depth = name.split("/").length;
  for (const [other, all] of parts) if (other !== identity && all.slice(-depth).join("/") === name) return true;
  return false;
}

/** From the repository's host to the last segment of the path. */
function segments(identity: string): readonly string[] {
  const [repository, chart, path] = JSON.parse(identity) as [string, string, string];
  const whole = `${repository.replace(/^[a-z+]+:\/\//, "").replace(/\.git$/, "")}/${chart === "" ? path : chart}`;
  return whole.split("/").filter((part) => part !== "" && part !== ".");
}

/** Two repositories may differ in scheme alone: the later ones get a number. */
function numbered(names: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const seen = new Map<string, number>();
  return new Map(
    [...names].map(([identity, name]) => {
      const before = seen.get(name) ?? 0;
      seen.set(name, before + 1);
      return [identity, before === 0 ? name : `${name}-${before + 1}`] as const;
    }),
  );
}

function trimmed(path: string): string {
  return path.replace(/^(\.?\/)+|\/+$/g, "");
}
