import { Fault } from "@capstan/proto";
import type { GeneratorsConfig } from "./config.ts";
import type { SecretKeyRef } from "./model.ts";
import type { SecretReader } from "./port.ts";

/** For whom a secret is read, and where it would go. */
export interface SecretUse {
  readonly namespace: string;
  /** Base URL of the server. */
  readonly server: string;
  /** The server is the provider's own public one. */
  readonly isPublic: boolean;
}

/**
 * The value behind a set's secret reference. It is given only to sets of its namespace, and only for servers that its rule
 * names: who may write a set could else send a token anywhere. Throws `bad-config`, `not-allowed`.
 */
export async function secretValue(
  ref: SecretKeyRef,
  use: SecretUse,
  world: { readonly config: Pick<GeneratorsConfig, "secrets">; readonly secrets: SecretReader },
): Promise<string> {
  const rule = world.config.secrets.find(
    ({ namespace, name }) => namespace === use.namespace && name === ref.secretName,
  );
  const place = rule?.keys[ref.key];
  if (rule === undefined || place === undefined) {
    throw new Fault("bad-config", {
      message: `the set names key ${JSON.stringify(ref.key)} of Secret ${use.namespace}/${ref.secretName}, and the hub's config has no such ${rule === undefined ? "secret" : "key"}.`,
      next: "Add it to generators.secrets in the hub's config.",
    });
  }
  const allowed = rule.servers.length === 0 ? use.isPublic : rule.servers.some((server) => covers(server, use.server));
  if (!allowed) {
    throw new Fault("not-allowed", {
      message: `Secret ${use.namespace}/${ref.secretName} may not be sent to ${use.server}.`,
      next: "Add the server to the secret's servers in the hub's config, if that is meant.",
    });
  }
  return world.secrets.read(place);
}

/** Whether a URL stands at or below another: same origin, and whole parts of the path. */
function covers(rule: string, server: string): boolean {
  const [outer, inner] = [URL.parse(rule), URL.parse(server)];
  if (outer === null || inner === null || outer.origin !== inner.origin) return false;
  const [prefix, path] = [outer.pathname.replace(/\/+$/, ""), inner.pathname.replace(/\/+$/, "")];
  return path === prefix || path.startsWith(`${prefix}/`);
}
