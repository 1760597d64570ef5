import { refusalFault } from "../../apply/refusal.ts";
import type { SecretRecord, SecretStore } from "../../cache/port.ts";
import { parseIdentity, printIdentity } from "../../identity/codec.ts";
import type { IdentityStore } from "../../identity/port.ts";
import type { KubeAnswer, KubeClient } from "../kube/client.ts";

const partLabel = "capstan.dev/part";

interface SecretBody {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly data?: Readonly<Record<string, string>>;
}

/** Secrets of the agent's own namespace, under its own rights. */
export class KubeSecrets implements SecretStore {
  readonly #client: KubeClient;
  readonly #namespace: string;

  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  async get(name: string, signal: AbortSignal): Promise<SecretRecord | undefined> {
    const answer = await this.#client.send({ method: "GET", path: this.#path(name) }, signal);
    return answer.status === 404 ? undefined : record(this.#checked(answer, "get", name));
  }

  async put(
    secret: { readonly name: string; readonly part: string; readonly data: Readonly<Record<string, Uint8Array>> },
    resourceVersion: string | undefined,
    signal: AbortSignal,
  ): Promise<SecretRecord> {
    const { name, part } = secret;
    const version = resourceVersion === undefined ? {} : { resourceVersion };
    const body = {
      apiVersion: "v1",
      kind: "Secret",
      type: `capstan.dev/${part}`,
      metadata: { name, namespace: this.#namespace, labels: { [partLabel]: part }, ...version },
      data: Object.fromEntries(Object.entries(secret.data).map(([key, bytes]) => [key, base64(bytes)])),
    };
    const request =
      resourceVersion === undefined
        ? ({ method: "POST", path: this.#path("") } as const)
        : ({ method: "PUT", path: this.#path(name) } as const);
    const answer = await this.#client.send({ ...request, body }, signal);
    // A request that was answered and then sent once more meets itself: the same content is our own write.
    const there = answer.status === 409 ? await this.get(name, signal) : undefined;
    if (there !== undefined && sameData(there.data, secret.data)) return there;
    const { metadata } = this.#checked<SecretBody>(answer, "write", name);
    return { name, data: secret.data, resourceVersion: metadata.resourceVersion };
  }

  async delete(name: string, signal: AbortSignal): Promise<void> {
    const answer = await this.#client.send({ method: "DELETE", path: this.#path(name) }, signal);
    if (answer.status !== 404) this.#checked(answer, "delete", name);
  }

  async list(part: string, signal: AbortSignal): Promise<readonly string[]> {
    const query = new URLSearchParams({ labelSelector: `${partLabel}=${part}` });
    // Names only: the content may be many megabytes.
    const accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
    const answer = await this.#client.send(
      { method: "GET", path: `${this.#path("")}?${query.toString()}`, accept },
      signal,
    );
    const list = this.#checked<{ items: readonly SecretBody[] | null }>(answer, "list", "");
    return (list.items ?? []).map(({ metadata }) => metadata.name);
  }

  #path(name: string): string {
    return `/api/v1/namespaces/${this.#namespace}/secrets${name === "" ? "" : `/${name}`}`;
  }

  #checked<T = SecretBody>(answer: KubeAnswer, verb: string, name: string): T {
    if (answer.status >= 200 && answer.status < 300) return answer.body as T;
    const address = { group: "", version: "v1", kind: "Secret", namespace: this.#namespace, name: name || "*" };
    throw refusalFault(answer.status, answer.body, { verb, address });
  }
}

const identityName = "capstan-identity";
const identityKey = "identity.json";

/** The identity in Secret `capstan-identity`. One agent writes; where two do, the slower one fails with `conflict`. */
export class KubeIdentityStore implements IdentityStore {
  readonly #secrets: KubeSecrets;
  #resourceVersion: string | undefined;

  constructor(secrets: KubeSecrets) {
    this.#secrets = secrets;
  }

  async load(signal: AbortSignal) {
    const found = await this.#secrets.get(identityName, signal);
    this.#resourceVersion = found?.resourceVersion;
    const bytes = found?.data[identityKey];
    return bytes === undefined ? {} : parseIdentity(new TextDecoder().decode(bytes));
  }

  async save(stored: Parameters<IdentityStore["save"]>[0], signal: AbortSignal): Promise<void> {
    const data = { [identityKey]: new TextEncoder().encode(printIdentity(stored)) };
    const put = await this.#secrets.put({ name: identityName, part: "identity", data }, this.#resourceVersion, signal);
    this.#resourceVersion = put.resourceVersion;
  }
}

function record(body: SecretBody): SecretRecord {
  const entries = Object.entries(body.data ?? {}).map(([key, text]) => [key, Buffer.from(text, "base64")] as const);
  return {
    name: body.metadata.name,
    data: Object.fromEntries(entries),
    resourceVersion: body.metadata.resourceVersion,
  };
}

function sameData(a: SecretRecord["data"], b: SecretRecord["data"]): boolean {
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => Buffer.compare(a[name] ?? new Uint8Array(), b[name] ?? new Uint8Array()) === 0);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
