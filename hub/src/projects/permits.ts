import type { ObjectRef } from "@capstan/proto";
import type { AppProjectSpec, GroupKindRule } from "../documents/model.ts";
import { globOf } from "./glob.ts";

const style = { separator: "/", extended: false };

/**
 * Whether a project permits an object of this kind. Namespaced kinds: all where there is no white list, none where it is
 * empty. Cluster-scoped kinds: only what the white list names. A black list wins over both.
 */
export function permitsObject(spec: AppProjectSpec, ref: ObjectRef, namespaced: boolean): boolean {
  if (namespaced) {
    const allowed = spec.namespaceResourceWhitelist === undefined || lists(spec.namespaceResourceWhitelist, ref);
    return allowed && !lists(spec.namespaceResourceBlacklist, ref);
  }
  return lists(spec.clusterResourceWhitelist, ref) && !lists(spec.clusterResourceBlacklist, ref);
}

function lists(rules: readonly GroupKindRule[] | undefined, ref: ObjectRef): boolean {
  return (rules ?? []).some((rule) => {
    const nameFits = rule.name === undefined || rule.name === "" || globOf(rule.name, style)(ref.name);
    return globOf(rule.kind, style)(ref.kind) && globOf(rule.group, style)(ref.group) && nameFits;
  });
}
