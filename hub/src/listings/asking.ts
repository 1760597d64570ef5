import type { Api } from "./api.ts";
import type { ConfigMapKeyRef, Listing } from "./model.ts";
import type { Server, SignIn } from "./providers/provider.ts";

/** The data of ConfigMap documents; undefined: there is none of that name. */
export type ConfigMaps = (namespace: string, name: string) => Readonly<Record<string, string>> | undefined;

/** How a query is put to its server. */
export interface Asking {
  readonly server: Server;
  readonly signIn: SignIn;
  tokenHeader(token: string): Readonly<Record<string, string>>;
  readonly insecure: boolean;
  readonly caRef: ConfigMapKeyRef | undefined;
  readonly timeoutMs: number | undefined;
  run(api: Api): Promise<Listing>;
}
