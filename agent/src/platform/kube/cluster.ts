import { Fault, objectText } from "@capstan/proto";
import { fieldManager, ownerAnnotation, type ServiceAccount, targetLabel } from "../../apply/model.ts";
import type {
  Cluster,
  DeleteOutcome,
  ManagerChange,
  ObjectPatch,
  RemoveOptions,
  ServedKind,
  WriteOptions,
} from "../../apply/port.ts";
import { type Asked, refusalFault } from "../../apply/refusal.ts";
import { isMap } from "../../drift/compare.ts";
import {
  addressOf,
  type KindRef,
  type KubeObject,
  type ObjectAddress,
  printApiVersion,
} from "../../inventory/object.ts";
import type { KubeAnswer, KubeClient, KubeRequest } from "./client.ts";
import type { Kinds, Resource } from "./kinds.ts";

const metadataOnly = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/** The apply engine's cluster over a REST client. */
export class KubeCluster implements Cluster {
  readonly #client: KubeClient;
  readonly #kinds: Kinds;

  constructor(client: KubeClient, kinds: Kinds) {
    this.#client = client;
    this.#kinds = kinds;
  }

  served(kind: KindRef, signal: AbortSignal): Promise<ServedKind | undefined> {
    return this.#kinds.find(kind, signal);
  }

  servedAny(kind: { readonly group: string; readonly kind: string }, signal: AbortSignal) {
    return this.#kinds.findAny(kind, signal);
  }

  refreshKinds(signal: AbortSignal): Promise<void> {
    return this.#kinds.refresh(signal);
  }

  read(as: ServiceAccount, address: ObjectAddress, signal: AbortSignal): Promise<KubeObject | undefined> {
    return this.#get({ verb: "read", address, as }, "application/json", signal);
  }

  async readMeta(as: ServiceAccount, address: ObjectAddress, signal: AbortSignal): Promise<KubeObject | undefined> {
    const found = await this.#get({ verb: "read", address, as }, metadataOnly, signal);
    // The answer's own kind is PartialObjectMetadata.
    return found === undefined ? undefined : { ...found, apiVersion: printApiVersion(address), kind: address.kind };
  }

  async apply(as: ServiceAccount, object: KubeObject, options: WriteOptions, signal: AbortSignal): Promise<KubeObject> {
    const asked: Asked = { verb: "apply", address: addressOf(object), as };
    const query = new URLSearchParams({ fieldManager: options.manager ?? fieldManager, force: "true" });
    query.set("fieldValidation", options.strict ? "Strict" : "Ignore");
    if (options.dryRun) query.set("dryRun", "All");
    const { resourceVersion } = options;
    const body =
      resourceVersion === undefined ? object : { ...object, metadata: { ...object.metadata, resourceVersion } };
    const request = {
      method: "PATCH",
      path: `${await this.#path(asked, signal)}?${query.toString()}`,
      body,
      contentType: "application/apply-patch+yaml",
    } as const;
    const answer = await this.#send(request, asked, signal);
    return answer.body as KubeObject;
  }

  async remove(
    as: ServiceAccount,
    address: ObjectAddress,
    options: RemoveOptions,
    signal: AbortSignal,
  ): Promise<DeleteOutcome> {
    const asked: Asked = { verb: "delete", address, as };
    const propagationPolicy = { background: "Background", foreground: "Foreground", orphan: "Orphan" }[
      options.propagation
    ];
    const body = {
      kind: "DeleteOptions",
      apiVersion: "v1",
      preconditions: { uid: options.uid },
      propagationPolicy,
    };
    try {
      const path = await this.#path(asked, signal);
      const answer = await this.#send({ method: "DELETE", path, body }, asked, signal);
      if (isMap(answer.body) && answer.body["kind"] === "Status")
        return await this.#confirm(asked, options.uid, signal);
    } catch (thrown) {
      const fault = Fault.from(thrown);
      if (fault.code === "not-found" || fault.code === "kind-not-served") return "gone";
      if (fault.code === "conflict") return "replaced";
      throw fault;
    }
    return this.#confirm(asked, options.uid, signal);
  }

  async patch(as: ServiceAccount, address: ObjectAddress, patch: ObjectPatch, signal: AbortSignal): Promise<void> {
    const asked: Asked = { verb: "patch", address, as };
    const part = patch.subresource === undefined ? "" : `/${patch.subresource}`;
    const path = `${await this.#path(asked, signal)}${part}?fieldManager=${patch.manager}`;
    const { body } = patch;
    await this.#send({ method: "PATCH", path, body, contentType: "application/merge-patch+json" }, asked, signal);
  }

  async release(as: ServiceAccount, address: ObjectAddress, uid: string, signal: AbortSignal): Promise<void> {
    const asked: Asked = { verb: "release", address, as };
    const labels = { [targetLabel]: null };
    const annotations = { [ownerAnnotation]: null };
    const path = `${await this.#path(asked, signal)}?fieldManager=${fieldManager}`;
    const body = { metadata: { uid, labels, annotations } };
    await this.#send({ method: "PATCH", path, body, contentType: "application/merge-patch+json" }, asked, signal);
  }

  async replace(
    as: ServiceAccount,
    object: KubeObject,
    options: WriteOptions,
    signal: AbortSignal,
  ): Promise<KubeObject> {
    const asked: Asked = { verb: "replace", address: addressOf(object), as };
    const query = new URLSearchParams({ fieldManager, fieldValidation: options.strict ? "Strict" : "Ignore" });
    if (options.dryRun) query.set("dryRun", "All");
    const { resourceVersion } = options;
    const metadata = { ...object.metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
    const path = `${await this.#path(asked, signal)}?${query.toString()}`;
    const answer = await this.#send({ method: "PUT", path, body: { ...object, metadata } }, asked, signal);
    return answer.body as KubeObject;
  }

  async setManagers(
    as: ServiceAccount,
    address: ObjectAddress,
    change: ManagerChange,
    signal: AbortSignal,
  ): Promise<KubeObject> {
    const asked: Asked = { verb: "take over", address, as };
    const drop = (field: string) => (name: string) => ({
      op: "remove",
      path: `/metadata/${field}/${pointerPart(name)}`,
    });
    const body = [
      { op: "replace", path: "/metadata/resourceVersion", value: change.resourceVersion },
      // An empty list would mean "as it was"; one empty entry means that nobody manages anything.
      {
        op: "replace",
        path: "/metadata/managedFields",
        value: change.managedFields.length === 0 ? [{}] : change.managedFields,
      },
      ...change.labels.map(drop("labels")),
      ...change.annotations.map(drop("annotations")),
    ];
    const path = `${await this.#path(asked, signal)}?fieldManager=${fieldManager}`;
    const request = { method: "PATCH", path, body, contentType: "application/json-patch+json" } as const;
    return (await this.#send(request, asked, signal)).body as KubeObject;
  }

  async findSecrets(
    as: ServiceAccount,
    namespace: string,
    selector: string,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const address = { group: "", version: "v1", kind: "Secret", namespace, name: selector };
    const query = new URLSearchParams({ labelSelector: selector });
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets?${query.toString()}`;
    const accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
    const answer = await this.#send({ method: "GET", path, accept }, { verb: "read", address, as }, signal);
    const items = isMap(answer.body) && Array.isArray(answer.body["items"]) ? answer.body["items"] : [];
    return items.filter(isMap).flatMap(({ metadata }) => (isMap(metadata) ? [String(metadata["name"])] : []));
  }

  async dropFinalizer(
    as: ServiceAccount,
    address: ObjectAddress,
    which: { readonly uid: string; readonly finalizer: string },
    signal: AbortSignal,
  ): Promise<void> {
    const asked: Asked = { verb: "change", address, as };
    for (let tried = 1; ; tried++) {
      const live = await this.#get({ ...asked, verb: "read" }, metadataOnly, signal);
      const { uid, resourceVersion, finalizers = [] } = live?.metadata ?? {};
      if (uid !== which.uid || !finalizers.includes(which.finalizer)) return;
      const left = finalizers.filter((one) => one !== which.finalizer);
      const body = { metadata: { uid, resourceVersion, finalizers: left } };
      try {
        const path = `${await this.#path(asked, signal)}?fieldManager=${fieldManager}`;
        await this.#send({ method: "PATCH", path, body, contentType: "application/merge-patch+json" }, asked, signal);
        return;
      } catch (thrown) {
        const fault = Fault.from(thrown);
        if (fault.code === "not-found") return;
        if (fault.code !== "conflict" || tried >= 4) throw fault;
      }
    }
  }

  /** A delete was accepted: is the object gone by now, or does something hold it? */
  async #confirm(asked: Asked, uid: string, signal: AbortSignal): Promise<DeleteOutcome> {
    const left = await this.#get({ ...asked, verb: "read" }, metadataOnly, signal);
    return left === undefined || left.metadata.uid !== uid ? "gone" : "deleting";
  }

  async #get(asked: Asked, accept: string, signal: AbortSignal): Promise<KubeObject | undefined> {
    try {
      const path = await this.#path(asked, signal);
      return (await this.#send({ method: "GET", path, accept }, asked, signal)).body as KubeObject;
    } catch (thrown) {
      const fault = Fault.from(thrown);
      if (fault.code === "not-found") return undefined;
      throw fault;
    }
  }

  async #send(request: KubeRequest, asked: Asked, signal: AbortSignal): Promise<KubeAnswer> {
    const as = asked.as === undefined ? {} : { as: `system:serviceaccount:${asked.as.namespace}:${asked.as.name}` };
    const answer = await this.#client.send({ ...request, ...as }, signal);
    if (answer.status >= 200 && answer.status < 300) return answer;
    const fault = refusalFault(answer.status, answer.body, asked);
    if (fault.code === "kind-not-served") this.#kinds.distrust(asked.address);
    throw fault;
  }

  async #path(asked: Asked, signal: AbortSignal): Promise<string> {
    const resource = await this.#kinds.find(asked.address, signal);
    if (resource === undefined) throw refusalFault(404, undefined, asked);
    return `${collectionPath(resource, asked.address)}/${encodeURIComponent(asked.address.name)}`;
  }
}

function pointerPart(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** The path of a kind's objects, in one namespace where the address names one. */
export function collectionPath(
  resource: Resource,
  address: { readonly namespace: string; readonly name: string },
): string {
  const root = resource.group === "" ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  if (!resource.namespaced) return `${root}/${resource.plural}`;
  if (address.namespace === "" && address.name !== "") {
    throw new Fault("bad-manifest", {
      message: `${objectText({ ...resource, ...address })} needs a namespace, and its target names none.`,
      next: "Give the application a destination namespace.",
    });
  }
  return address.namespace === ""
    ? `${root}/${resource.plural}`
    : `${root}/namespaces/${encodeURIComponent(address.namespace)}/${resource.plural}`;
}
