import { Fault } from "@capstan/proto";
import type { AppProjectSpec } from "../documents/model.ts";
import { globOf } from "./glob.ts";

const style = { separator: "", extended: true };

/** Whose rights a target is applied with: a service account in the target's cluster. */
export interface ServiceAccount {
  readonly namespace: string;
  readonly name: string;
}

/**
 * The service account that a project gives to a destination: the first entry of `destinationServiceAccounts` whose server
 * and namespace fit. Undefined: the project names none. Throws `bad-input` where an account's name is malformed.
 */
export function defaultServiceAccount(
  spec: AppProjectSpec,
  destination: { readonly server: string; readonly namespace: string; readonly applicationNamespace: string },
): ServiceAccount | undefined {
  const entry = (spec.destinationServiceAccounts ?? []).find(
    (item) =>
      globOf(item.server, style)(destination.server) && globOf(item.namespace ?? "", style)(destination.namespace),
  );
  if (entry === undefined) return undefined;
  const account = entry.defaultServiceAccount;
  if (account.trim() === "" || /[!*[\]{}\\/]/.test(account)) {
    throw new Fault("bad-input", {
      message: `a default service account is NAME or NAMESPACE:NAME, found ${JSON.stringify(account)}.`,
      where: { field: "spec.destinationServiceAccounts" },
      next: "Mend it in the project.",
    });
  }
  const [namespace, name] = account.split(":");
  if (namespace !== undefined && name !== undefined) return { namespace, name };
  return {
    namespace: destination.namespace === "" ? destination.applicationNamespace : destination.namespace,
    name: account,
  };
}
