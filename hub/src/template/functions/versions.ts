import { compareVersions, parseConstraint, parseVersion, type Version, versionText } from "../semver.ts";
import { type GoFunction, GoInt, type GoObject, goInt, type Value } from "../value.ts";
import { define, type FunctionTable, fail, text } from "./define.ts";

/** Sprig's semantic versions. */
export const versionFunctions: FunctionTable = {
  semver: define("string", ([value]) => new VersionObject(required(text(value)))),
  semverCompare: define("string string", ([constraint, value]) => {
    const holds = parseConstraint(text(constraint)) ?? fail(`improper constraint: ${text(constraint)}`);
    return holds(required(text(value)));
  }),
};

function required(value: string): Version {
  const startsZero =
    /^[^+]*-(?:[^+]*\.)?0\d+(?:[.+]|$)/.test(value) && parseVersion(value.replace(/-[^+]*/, "")) !== undefined;
  return parseVersion(value) ?? fail(startsZero ? "version segment starts with 0" : "invalid semantic version");
}

/** What `semver` gives: a version with methods. */
class VersionObject implements GoObject {
  readonly goType = "*semver.Version";
  readonly goKind = "ptr";
  readonly fields = {};
  readonly methods: Readonly<Record<string, GoFunction>>;
  readonly version: Version;

  constructor(version: Version) {
    this.version = version;
    const other = (call: (order: number) => Value) =>
      define("object", ([value]) =>
        call(
          value instanceof VersionObject
            ? compareVersions(version, value.version)
            : fail("runtime error: invalid memory address or nil pointer dereference"),
        ),
      );
    const get = (call: () => Value) => define("", call);
    const part = (value: bigint) => get(() => new GoInt("uint64", value));
    this.methods = {
      Major: part(version.major),
      Minor: part(version.minor),
      Patch: part(version.patch),
      Prerelease: get(() => version.pre),
      Metadata: get(() => version.metadata),
      Original: get(() => version.original),
      String: get(() => versionText(version)),
      Compare: other((order) => goInt(order)),
      Equal: other((order) => order === 0),
      LessThan: other((order) => order < 0),
      LessThanEqual: other((order) => order <= 0),
      GreaterThan: other((order) => order > 0),
      GreaterThanEqual: other((order) => order >= 0),
      IncMajor: get(() => next(version, { major: version.major + 1n, minor: 0n, patch: 0n })),
      IncMinor: get(() => next(version, { minor: version.minor + 1n, patch: 0n })),
      IncPatch: get(() => next(version, version.pre === "" ? { patch: version.patch + 1n } : {})),
      SetPrerelease: define("string", ([pre]) => changed(version, { pre: text(pre) })),
      SetMetadata: define("string", ([metadata]) => changed(version, { metadata: text(metadata) })),
    };
  }

  toText(): string {
    return versionText(this.version);
  }

  copied(): GoObject {
    return new VersionObject({ major: 0n, minor: 0n, patch: 0n, pre: "", metadata: "", original: "" });
  }

  get parts(): readonly (readonly [string, Value])[] {
    const { major, minor, patch, pre, metadata, original } = this.version;
    return [
      ["major", new GoInt("uint64", major)],
      ["minor", new GoInt("uint64", minor)],
      ["patch", new GoInt("uint64", patch)],
      ["pre", pre],
      ["metadata", metadata],
      ["original", original],
    ];
  }
}

function next(version: Version, parts: Partial<Version>): VersionObject {
  const bare = { ...version, pre: "", metadata: "", ...parts };
  return new VersionObject({ ...bare, original: `${version.original.startsWith("v") ? "v" : ""}${versionText(bare)}` });
}

function changed(version: Version, parts: Partial<Version>): VersionObject {
  const made = { ...version, ...parts };
  if (parseVersion(versionText(made)) === undefined) fail("invalid version part");
  return new VersionObject({ ...made, original: `${version.original.startsWith("v") ? "v" : ""}${versionText(made)}` });
}
