import { Fault } from "@capstan/proto";
import type { SecretRecord, SecretStore } from "./port.ts";

/** Secrets in memory, with the rules of a real API server, for tests. */
export class MemorySecrets implements SecretStore {
  readonly #secrets = new Map<string, { readonly part: string; readonly record: SecretRecord }>();
  #versions = 0;
  writes = 0;
  /** Called before each write; a throw is a crash before the write. */
  intercept: (() => void) | undefined;

  get names(): readonly string[] {
    return [...this.#secrets.keys()];
  }

  async get(name: string): Promise<SecretRecord | undefined> {
    return this.#secrets.get(name)?.record;
  }

  async put(
    secret: { readonly name: string; readonly part: string; readonly data: Readonly<Record<string, Uint8Array>> },
    resourceVersion: string | undefined,
  ): Promise<SecretRecord> {
    this.#write();
    const { name, part, data } = secret;
    if (this.#secrets.get(name)?.record.resourceVersion !== resourceVersion) {
      throw new Fault("conflict", { message: `secret ${name} was written by another.` });
    }
    const record = { name, data, resourceVersion: String(++this.#versions) };
    this.#secrets.set(name, { part, record });
    return record;
  }

  async delete(name: string): Promise<void> {
    this.#write();
    this.#secrets.delete(name);
  }

  async list(part: string): Promise<readonly string[]> {
    return [...this.#secrets].filter(([, secret]) => secret.part === part).map(([name]) => name);
  }

  #write(): void {
    this.intercept?.();
    this.writes++;
  }
}
