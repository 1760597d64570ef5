import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { Fault } from "@capstan/proto";
import type { ListOptions } from "@capstan/proto/common";

/** Only the fields that `read_mask` names, as `field` or `field.inner`; no mask: all. Throws `bad-input` for an unknown one. */
export function masked<D extends DescMessage>(
  schema: D,
  items: readonly MessageShape<D>[],
  options: ListOptions | undefined,
): MessageShape<D>[] {
  const paths = options?.readMask?.paths ?? [];
  if (paths.length === 0) return [...items];
  return items.map((item) => {
    const kept = create(schema);
    for (const path of paths) copy(reflect(schema, item), reflect(schema, kept), path.split("."));
    return kept;
  });
}

function copy(from: ReflectMessage, to: ReflectMessage, [name = "", ...rest]: readonly string[]): void {
  const field = from.desc.fields.find((each) => each.name === name || each.jsonName === name);
  if (field === undefined) {
    throw new Fault("bad-input", {
      message: `expected a field of ${from.desc.name} in the mask, found ${JSON.stringify(name)}.`,
      next: `Name some of ${from.desc.fields.map((each) => each.name).join(", ")}.`,
    });
  }
  if (!from.isSet(field)) return;
  if (rest.length === 0 || field.fieldKind !== "message") {
    to.set(field, from.get(field));
    return;
  }
  if (!to.isSet(field)) to.set(field, reflect(field.message));
  copy(from.get(field) as ReflectMessage, to.get(field) as ReflectMessage, rest);
}
