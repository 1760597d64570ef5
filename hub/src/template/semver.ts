/** Versions and constraints as github.com/Masterminds/semver reads them. */
export interface Version {
  readonly major: bigint;
  readonly minor: bigint;
  readonly patch: bigint;
  readonly pre: string;
  readonly metadata: string;
  readonly original: string;
}

const versionPattern =
  /^v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?(-([0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*))?(\+([0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*))?$/;
const maxSegment = 2n ** 64n;

/** Undefined: no version. Missing parts are 0. */
export function parseVersion(text: string): Version | undefined {
  const match = versionPattern.exec(text);
  if (match === null) return undefined;
  const [major, minor, patch] = [match[1] ?? "0", match[2]?.slice(1) ?? "0", match[3]?.slice(1) ?? "0"].map(BigInt);
  const pre = match[5] ?? "";
  if (major === undefined || minor === undefined || patch === undefined) return undefined;
  if (major >= maxSegment || minor >= maxSegment || patch >= maxSegment) return undefined;
  if (pre.split(".").some((part) => /^0\d+$/.test(part))) return undefined;
  return { major, minor, patch, pre, metadata: match[8] ?? "", original: text };
}

/** `1.2.3-pre+meta`. */
export function versionText(version: Version): string {
  const { major, minor, patch, pre, metadata } = version;
  return `${major}.${minor}.${patch}${pre === "" ? "" : `-${pre}`}${metadata === "" ? "" : `+${metadata}`}`;
}

/** Below 0, 0, or above 0; build metadata does not count. */
export function compareVersions(left: Version, right: Version): number {
  for (const part of ["major", "minor", "patch"] as const) {
    if (left[part] !== right[part]) return left[part] < right[part] ? -1 : 1;
  }
  if (left.pre === right.pre) return 0;
  if (left.pre === "") return 1;
  return right.pre === "" ? -1 : comparePre(left.pre.split("."), right.pre.split("."));
}

function comparePre(left: readonly string[], right: readonly string[]): number {
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    const [a = "", b = ""] = [left[at], right[at]];
    if (a === b) continue;
    if (a === "" || b === "") return a === "" ? -1 : 1;
    const [aNumber, bNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
    if (aNumber && bNumber) return BigInt(a) > BigInt(b) ? 1 : -1;
    if (aNumber || bNumber) return aNumber ? -1 : 1;
    return a > b ? 1 : -1;
  }
  return 0;
}

interface Constraint {
  readonly operator: string;
  readonly version: Version;
  readonly dirty: boolean;
  readonly minorDirty: boolean;
  readonly patchDirty: boolean;
}

const operators = "=|!=|>|<|>=|=>|<=|=<|~|~>|\\^|";
const loose =
  "v?([0-9|x|X|\\*]+)(\\.[0-9|x|X|\\*]+)?(\\.[0-9|x|X|\\*]+)?(-([0-9A-Za-z\\-]+(\\.[0-9A-Za-z\\-]+)*))?(\\+([0-9A-Za-z\\-]+(\\.[0-9A-Za-z\\-]+)*))?";
// Alternatives are tried in order here, longest first; Go tries them in order too and goes on where one fails.
const single = new RegExp(`^[\\t\\n\\f\\r ]*(${operators})[\\t\\n\\f\\r ]*(${loose})[\\t\\n\\f\\r ]*$`);
const range = new RegExp(`[\\t\\n\\f\\r ]*(${loose})[\\t\\n\\f\\r ]+-[\\t\\n\\f\\r ]+(${loose})[\\t\\n\\f\\r ]*`, "g");
const find = new RegExp(`(${operators.replace(/\|$/, "")}|)[\\t\\n\\f\\r ]*(${loose})`, "g");
const valid = new RegExp(
  `^([\\t\\n\\f\\r ]*(${operators})[\\t\\n\\f\\r ]*(${loose})[\\t\\n\\f\\r ]*)((?:[\\t\\n\\f\\r ]+|,[\\t\\n\\f\\r ]*)(${operators})[\\t\\n\\f\\r ]*(${loose})[\\t\\n\\f\\r ]*)*$`,
);

/** Whether a version fulfils constraints such as `>=1.2 <2 || 3.x`. Undefined: no constraint. */
export function parseConstraint(text: string): ((version: Version) => boolean) | undefined {
  if (text.length > 1000) return undefined;
  // One space a gap: with more, a pattern finds ever more ways to part them.
  const rewritten = text
    .replace(/[\t\n\f\r ]+/g, " ")
    .replace(range, (_, from: string, ...rest: string[]) => `>= ${from}, <= ${rest[9]} `);
  const groups: { readonly all: readonly Constraint[]; readonly pre: boolean }[] = [];
  for (const part of rewritten.split("||")) {
    if (!valid.test(part)) return undefined;
    const all = (part.match(find) ?? [part]).map(parseSingle);
    if (all.some((constraint) => constraint === undefined)) return undefined;
    const known = all.filter((constraint) => constraint !== undefined);
    groups.push({ all: known, pre: known.some((constraint) => constraint.version.pre !== "") });
  }
  return (version) => groups.some(({ all, pre }) => all.every((constraint) => holds(constraint, version, pre)));
}

function parseSingle(text: string): Constraint | undefined {
  const match = single.exec(text);
  if (match === null) return undefined;
  const isAny = (part: string | undefined) => part === undefined || part === "" || /^\.?[xX*]$/.test(part);
  const [, operator = "", written = "", major = "", minor = "", patch = "", pre = ""] = match;
  const whole = isAny(major);
  const minorDirty = !whole && isAny(minor);
  const patchDirty = !whole && !minorDirty && isAny(patch);
  const text_ = whole
    ? `0.0.0${pre}`
    : minorDirty
      ? `${major}.0.0${pre}`
      : patchDirty
        ? `${major}${minor}.0${pre}`
        : written;
  const version = parseVersion(text_);
  return version === undefined
    ? undefined
    : { operator, version, dirty: whole || minorDirty || patchDirty, minorDirty, patchDirty };
}

function holds(constraint: Constraint, version: Version, includePre: boolean): boolean {
  const { operator, version: wanted } = constraint;
  // A release range does not reach pre-releases, unless it names one itself.
  const hidden = version.pre !== "" && !includePre;
  if (operator === "!=") return notEqual(constraint, version, hidden);
  if (hidden) return false;
  const order = compareVersions(version, wanted);
  switch (operator) {
    case ">":
      return greater(constraint, version, order);
    case "<":
      return order < 0;
    case ">=":
    case "=>":
      return order >= 0;
    case "<=":
    case "=<":
      return lessOrEqual(constraint, version, order);
    case "~":
    case "~>":
      return tilde(constraint, version, order);
    case "^":
      return caret(constraint, version, order);
    default:
      return constraint.dirty ? tilde(constraint, version, order) : order === 0;
  }
}

function notEqual(constraint: Constraint, version: Version, hidden: boolean): boolean {
  const wanted = constraint.version;
  if (!constraint.dirty) return compareVersions(version, wanted) !== 0;
  if (hidden) return false;
  if (wanted.major !== version.major) return true;
  if (wanted.minor !== version.minor && !constraint.minorDirty) return true;
  if (constraint.minorDirty) return false;
  if (wanted.patch !== version.patch && !constraint.patchDirty) return true;
  if (constraint.patchDirty) return (version.pre !== "" || wanted.pre !== "") && version.pre !== wanted.pre;
  return compareVersions(version, wanted) !== 0;
}

function greater(constraint: Constraint, version: Version, order: number): boolean {
  const wanted = constraint.version;
  if (!constraint.dirty) return order > 0;
  if (version.major !== wanted.major) return version.major > wanted.major;
  if (constraint.minorDirty) return false;
  return constraint.patchDirty ? version.minor > wanted.minor : order > 0;
}

function lessOrEqual(constraint: Constraint, version: Version, order: number): boolean {
  const wanted = constraint.version;
  if (!constraint.dirty) return order <= 0;
  if (version.major > wanted.major) return false;
  return !(version.major === wanted.major && version.minor > wanted.minor && !constraint.minorDirty);
}

function tilde(constraint: Constraint, version: Version, order: number): boolean {
  const wanted = constraint.version;
  if (order < 0) return false;
  const isZero = wanted.major === 0n && wanted.minor === 0n && wanted.patch === 0n;
  if (isZero && !constraint.minorDirty && !constraint.patchDirty) return true;
  return version.major === wanted.major && (version.minor === wanted.minor || constraint.minorDirty);
}

function caret(constraint: Constraint, version: Version, order: number): boolean {
  const wanted = constraint.version;
  if (order < 0) return false;
  if (wanted.major > 0n || constraint.minorDirty) return version.major === wanted.major;
  if (version.major > 0n) return false;
  if (wanted.minor > 0n || constraint.patchDirty) return version.minor === wanted.minor;
  return version.minor === 0n && version.patch === wanted.patch;
}
