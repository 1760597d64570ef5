import { DUMP_SCHEMA, dump } from "js-yaml";
import type { Json } from "./json.ts";

const intName = "tag:yaml.org,2002:int";

// The dump schema quotes every text that any YAML version would take for something else; bigints are added to it.
const schema = DUMP_SCHEMA.withTags(
  ...DUMP_SCHEMA.tags.flatMap((tag) =>
    tag.nodeKind === "scalar" && tag.tagName === intName
      ? [{ ...tag, identify: (data: unknown) => typeof data === "bigint" || tag.identify(data), represent: String }]
      : [],
  ),
);

/**
 * YAML for people to read, in the value's own key order, with a newline at the end. Reading it again gives an equal
 * value; for anything that is hashed or sent, use `canonicalJson`.
 */
export function toYaml(value: Json): string {
  return dump(value, { schema, noRefs: true, lineWidth: -1, seqNoIndent: true });
}
