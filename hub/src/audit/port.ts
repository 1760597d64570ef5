/** Where audit entries are appended and read, in order. */
export interface AuditStore {
  append(actorToken: string, value: Uint8Array, signal: AbortSignal): Promise<bigint>;
  read(filter: { readonly last?: number }, signal: AbortSignal): Promise<readonly { readonly value: Uint8Array }[]>;
}
