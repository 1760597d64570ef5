import { applicationShape, templateShape } from "../documents/application-shape.ts";
import type { Application, ApplicationSpec, JsonObject, Metadata } from "../documents/model.ts";
import type { StructShape } from "../documents/shape.ts";
import type { GenerateContext, Params } from "./context.ts";
import { fillStruct } from "./fill.ts";
import { applyPatch } from "./patch.ts";
import { type Compiled, compileValue } from "./rendering.ts";

/** A set's template, with a generator's own laid over it, ready to be rendered many times. */
export interface ApplicationTemplate {
  readonly plain: JsonObject;
  readonly compiled: Compiled;
}

const resourcesFinalizer = "resources-finalizer.argocd.argoproj.io";
const shape: StructShape = {
  kind: "struct",
  fields: new Map([...applicationShape.fields].filter(([name]) => name === "metadata" || name === "spec")),
};

/** Lays a generator's template over the set's. */
export function applicationTemplate(set: JsonObject, own: JsonObject | undefined): ApplicationTemplate {
  const plain = own === undefined ? set : fillStruct(templateShape, own, set);
  return { plain, compiled: compileValue(shape, plain) };
}

/**
 * One element's application: all texts and keys rendered, finalizer added, templatePatch applied, the namespace the
 * set's. Without parameters the template stays as it is, but for the patch. Throws TemplateFault or `bad-input`.
 */
export function renderApplication(
  context: GenerateContext,
  template: ApplicationTemplate,
  params: Params,
): Application {
  const { spec, metadata } = context.input.set;
  let object = template.plain;
  if (params.entries.size > 0) {
    object = template.compiled((text) => context.render(text, params)) as JsonObject;
    if (spec.syncPolicy?.preserveResourcesOnDeletion !== true) object = withFinalizer(object);
  }
  if (spec.templatePatch !== undefined) object = applyPatch(object, context.render(spec.templatePatch, params));
  const rendered = object["metadata"] as Partial<Metadata> | undefined;
  return {
    metadata: {
      name: rendered?.name ?? "",
      namespace: metadata.namespace,
      labels: rendered?.labels ?? {},
      annotations: rendered?.annotations ?? {},
      finalizers: rendered?.finalizers ?? [],
    },
    spec: object["spec"] as unknown as ApplicationSpec,
  };
}

function withFinalizer(object: JsonObject): JsonObject {
  const metadata = object["metadata"] as JsonObject;
  const finalizers = metadata["finalizers"];
  if (Array.isArray(finalizers) && finalizers.length > 0) return object;
  return { ...object, metadata: { ...metadata, finalizers: [resourcesFinalizer] } };
}
