import { coerce, Range, rcompare, type SemVer, parse as strict } from "semver";

/** A version as tags and charts are named: `1.2.3`, `v1.2`, `1`; undefined where the text is none. */
export function parseVersion(text: string): SemVer | undefined {
  const found = strict(text, { loose: true });
  if (found !== null) return found;
  return /^v?\d+(\.\d+)?$/.test(text) ? (coerce(text) ?? undefined) : undefined;
}

/** Whether a text is a range of versions, and not one version or another kind of name. */
export function isRange(text: string): boolean {
  return parseVersion(text) === undefined && groupsOf(text) !== undefined;
}

/**
 * The highest of the versions that the range covers, as it was written; undefined where it covers none. Ranges read as
 * Helm and Argo CD read them (Masterminds semver): a comma is "and", `!=` excludes, and a pre-release counts only where
 * each part of the range names one.
 */
export function highest(range: string, versions: readonly string[]): string | undefined {
  const groups = groupsOf(range) ?? [];
  const covered = versions.flatMap((text) => {
    const version = parseVersion(text);
    return version !== undefined && groups.some((group) => group.covers(version)) ? [{ text, version }] : [];
  });
  return covered.sort((one, other) => rcompare(one.version, other.version))[0]?.text;
}

interface Group {
  covers(version: SemVer): boolean;
}

/** One group for each alternative; undefined where the text is no range. */
function groupsOf(text: string): readonly Group[] | undefined {
  try {
    return text.split("||").map(groupOf);
  } catch {
    return undefined;
  }
}

function groupOf(text: string): Group {
  const spaced = text.replace(/\s+-\s+/g, "~-~").replace(/([<>=!~^]+)\s+/g, "$1");
  const parts = spaced.split(/[\s,]+/).filter((part) => part !== "");
  if (parts.length === 0) throw new TypeError("an empty range");
  const prerelease = parts.every((part) => /\d-[0-9A-Za-z]/.test(part));
  const ranges = parts.map((part) => rangeOf(part, prerelease));
  return {
    covers: (version) =>
      (prerelease || version.prerelease.length === 0) && ranges.every(({ range, not }) => range.test(version) !== not),
  };
}

function rangeOf(part: string, includePrerelease: boolean): { readonly range: Range; readonly not: boolean } {
  const not = part.startsWith("!=");
  const written = (not ? part.slice(2) : part).replace("~-~", " - ").replace(/^=</, "<=").replace(/^=>/, ">=");
  return { range: new Range(written, { loose: true, includePrerelease }), not };
}
