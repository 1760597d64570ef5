import type { Json } from "../documents/model.ts";
import { canonicalJson } from "../yaml/canonical.ts";
import type { Sha256 } from "./bundle.ts";
import type { RenderKey, ToolVersions } from "./model.ts";
import type { SourcePlan } from "./plan.ts";

/** Raise when the same inputs begin to give another bundle by our own doing; every target then has a new key. */
const format = 1;

/** The key of a render: a digest over its plans, which hold all that it may read, and the tools' versions. */
export function renderKey(plans: readonly SourcePlan[], versions: ToolVersions, sha256: Sha256): RenderKey {
  const text = canonicalJson({ format, sources: plans.map((plan) => describe(plan, versions)) });
  return sha256(new TextEncoder().encode(text)) as RenderKey;
}

function describe(plan: SourcePlan, versions: ToolVersions): Json {
  const files = [...plan.files].map(([place, { entry }]) => [place, entry.oid]).sort(byPlace);
  const common = { type: plan.type, files, made: Object.fromEntries(plan.made) };
  switch (plan.type) {
    case "directory": {
      const { jsonnet } = plan;
      if (jsonnet === undefined) return common;
      const { evaluate, libs, variables } = jsonnet;
      const set = { evaluate: [...evaluate], libs: [...libs], variables: variables.map((each) => ({ ...each })) };
      return { ...common, jsonnet: set, tool: versions.jsonnet ?? "" };
    }
    case "kustomize":
      return { ...common, directory: plan.directory, tool: versions.kustomize };
    case "helm": {
      const { type: _, path: __, tree: ___, files: ____, made: _____, warnings: ______, settings, ...rest } = plan;
      return { ...common, ...rest, settings: settings.map((setting) => ({ ...setting })), tool: versions.helm };
    }
  }
}

function byPlace(one: readonly (string | undefined)[], other: readonly (string | undefined)[]): number {
  return (one[0] ?? "") < (other[0] ?? "") ? -1 : 1;
}
