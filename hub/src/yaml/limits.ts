/** Bounds on one YAML text; each is a refusal with a name, never a crash. */
export interface YamlLimits {
  /** UTF-16 units of the text: what a byte limit on the way in did not catch already. */
  readonly bytes: number;
  readonly documents: number;
  /** Nesting of maps and lists. */
  readonly depth: number;
  /** Alias nodes (`*name`) in one document. */
  readonly aliases: number;
  /** Keys copied by `<<` in one document. */
  readonly mergeKeys: number;
  /** Keys of one map. */
  readonly keys: number;
  /** Nodes of one document with every alias written out; 64 characters of text count as one more. */
  readonly nodes: number;
}

/** What files in a repository may be. */
export const defaultYamlLimits: YamlLimits = {
  bytes: 1024 * 1024,
  documents: 5_000,
  depth: 100,
  aliases: 100,
  mergeKeys: 10_000,
  keys: 10_000,
  nodes: 600_000,
};
