import { Fault } from "@capstan/proto";
import { applicationShape, templateShape } from "../documents/application-shape.ts";
import type { Application, ApplicationSpec, JsonObject, Metadata } from "../documents/model.ts";
import type { StructShape } from "../documents/shape.ts";
import type { GenerateContext, Params } from "./context.ts";
import { fillStruct } from "./fill.ts";
import { applyPatch } from "./patch.ts";
import { type Compiled, compileValue, renderAt } from "./rendering.ts";

/** A set's template, with a generator's own laid over it, ready to be rendered many times. */
export interface ApplicationTemplate {
  readonly plain: JsonObject;
  readonly compiled: Compiled;
}

const patchPath = ["spec", "templatePatch"];
const resourcesFinalizer = "resources-finalizer.argocd.argoproj.io";
const shape: StructShape = {
  kind: "struct",
  fields: new Map([...applicationShape.fields].filter(([name]) => name === "metadata" || name === "spec")),
};

/** Lays a generator's template over the set's. */
export function applicationTemplate(set: JsonObject, own: JsonObject | undefined): ApplicationTemplate {
  const plain = own === undefined ? set : fillStruct(templateShape, own, set);
  return { plain, compiled: compileValue(shape, plain, { path: ["spec", "template"] }) };
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
    context.checkOptions(params);
    if (spec.syncPolicy?.preserveResourcesOnDeletion !== true) object = withFinalizer(object);
  }
  if (spec.templatePatch !== undefined) object = patched(context, object, params);
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

/** A fault of the patch says that it lies there, wherever in the patch it is. */
function patched(context: GenerateContext, object: JsonObject, params: Params): JsonObject {
  const patch = renderAt((text) => context.render(text, params), context.input.set.spec.templatePatch ?? "", patchPath);
  try {
    return applyPatch(object, patch);
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    const { field, file: _, ...where } = thrown.where;
    const inside = field === undefined || field.startsWith("spec.templatePatch") ? "" : `: ${field}`;
    throw new Fault(thrown.code, {
      message: thrown.message,
      where: { ...where, field: `spec.templatePatch${inside}` },
      next: "Mend templatePatch, or what makes it.",
      cause: thrown,
    });
  }
}

function withFinalizer(object: JsonObject): JsonObject {
  const metadata = object["metadata"] as JsonObject;
  const finalizers = metadata["finalizers"];
  if (Array.isArray(finalizers) && finalizers.length > 0) return object;
  return { ...object, metadata: { ...metadata, finalizers: [resourcesFinalizer] } };
}
