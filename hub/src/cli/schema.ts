import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { assertNever, Fault } from "@capstan/proto";
import { applicationSetShape } from "../documents/application-set-shape.ts";
import { applicationShape } from "../documents/application-shape.ts";
import { clusterShape, configMapShape, projectShape } from "../documents/project-shape.ts";
import type { Shape, StructShape } from "../documents/shape.ts";
import { freezeWindowShape, rolloutStrategyShape } from "../documents/strategy-shape.ts";

const shapes: Readonly<Record<string, StructShape>> = {
  ApplicationSet: applicationSetShape,
  Application: applicationShape,
  AppProject: projectShape,
  Cluster: clusterShape,
  ConfigMap: configMapShape,
  RolloutStrategy: rolloutStrategyShape,
  FreezeWindow: freezeWindowShape,
};

/** The JSON Schema (2020-12) of a kind of document, from the shapes by which documents are read. */
export function jsonSchema(kind: string): JsonObject {
  const shape = shapes[kind];
  if (shape === undefined) throw new Fault("unknown-kind", { message: `no kind of document is called ${kind}.` });
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: kind,
    ...schemaOf(shape, new Set()),
    required: ["apiVersion", "kind", "metadata", kind === "ConfigMap" ? "data" : "spec"],
  };
}

/** A struct that stands inside itself is described once; deeper, any object is taken. */
function schemaOf(shape: Shape, above: ReadonlySet<Shape>): JsonObject {
  switch (shape.kind) {
    case "string":
      return { type: "string" };
    case "bool":
      return { type: "boolean" };
    case "int":
      return { type: "integer" };
    case "intOrString":
      return { type: ["integer", "string"] };
    case "json":
      return {};
    case "list":
      return { type: "array", items: schemaOf(shape.of, above) };
    case "map":
      return { type: "object", additionalProperties: schemaOf(shape.of, above) };
    case "struct":
      return above.has(shape) ? { type: "object" } : structSchema(shape, new Set([...above, shape]));
    default:
      return assertNever(shape, "shape");
  }
}

function structSchema(shape: StructShape, above: ReadonlySet<Shape>): JsonObject {
  const properties: Record<string, JsonValue> = {};
  for (const [name, field] of shape.fields) properties[name] = schemaOf(field.shape, above);
  return { type: "object", properties };
}
