import { Fault, objectText } from "@capstan/proto";
import type { KubeObject } from "../inventory/object.ts";
import { type Claim, claimMarks, claimsOf, deadlyReason } from "./claims.ts";
import { type Taking, transferred } from "./managers.ts";
import type { PreparedObject } from "./model.ts";
import type { Pass } from "./pass.ts";

const tries = 4;

/**
 * Why an object must not be taken over from another tool: that tool's own deletion would delete it. What lies in another
 * cluster cannot be seen; what may not be looked at counts as deadly. A Helm release has nobody who acts by himself: mode
 * `Enforce` takes its objects.
 */
export async function claimFault(pass: Pass, prepared: PreparedObject, live: KubeObject): Promise<Fault | undefined> {
  for (const claim of claimsOf(live)) {
    if (claim.tool === "helm" && pass.input.policy.mode === "Enforce") continue;
    const known = pass.claims.get(claim.text) ?? lookAt(pass, claim);
    pass.claims.set(claim.text, known);
    const reason = await known;
    if (reason === undefined) continue;
    const object = objectText(prepared.address);
    return new Fault("object-owned", {
      message: `${object} belongs to ${claim.text}, whose deletion would delete it: it is not taken over.`,
      where: { object, target: pass.input.target },
      next: `First: ${reason}.`,
    });
  }
  return undefined;
}

/** Why the claim's owner is dangerous; undefined: it is not, or is not in this cluster. */
async function lookAt({ ports, input, signal }: Pass, claim: Claim): Promise<string | undefined> {
  const { account } = input.policy;
  const { owner } = claim;
  try {
    if (claim.tool === "helm") {
      const found = await ports.cluster.findSecrets(account, owner.namespace, `owner=helm,name=${owner.name}`, signal);
      return found.length === 0 ? undefined : deadlyReason(claim, nothing);
    }
    const served = await ports.cluster.servedAny(owner, signal);
    if (served === undefined) return undefined;
    const live = await ports.cluster.read(account, { ...owner, version: served.version }, signal);
    return live === undefined ? undefined : deadlyReason(claim, live);
  } catch (thrown) {
    const fault = Fault.from(thrown);
    if (fault.code !== "not-allowed") throw fault;
    return `it cannot be looked at (${fault.message}); give the account that right, or take the other tool's marks off`;
  }
}

const nothing: KubeObject = { apiVersion: "v1", kind: "Secret", metadata: { name: "" } };

/**
 * Makes fields that other managers wrote ours, in one patch that holds only while the object is as it was seen; on adoption
 * the other tools' marks go with it. Returns the object as it is then; sends nothing where nothing is to be changed.
 */
export async function transfer(
  pass: Pass,
  prepared: PreparedObject,
  { live, taking }: { readonly live: KubeObject; readonly taking: Taking },
): Promise<KubeObject> {
  const { cluster } = pass.ports;
  const { account } = pass.input.policy;
  let seen = live;
  for (let tried = 1; ; tried++) {
    const managedFields = transferred(seen, taking);
    const marks = taking === "adopted" ? marksOn(seen, prepared) : { labels: [], annotations: [] };
    const { resourceVersion = "" } = seen.metadata;
    if (managedFields === undefined && marks.labels.length + marks.annotations.length === 0) return seen;
    const change = { resourceVersion, managedFields: managedFields ?? seen.metadata.managedFields ?? [], ...marks };
    try {
      return await cluster.setManagers(account, prepared.address, change, pass.signal);
    } catch (thrown) {
      const fault = Fault.from(thrown);
      if (fault.code !== "conflict" || tried >= tries) throw fault;
      const again = await cluster.read(account, prepared.address, pass.signal);
      if (again === undefined || again.metadata.uid !== live.metadata.uid) throw fault;
      seen = again;
    }
  }
}

/** Other tools' marks on the live object that the manifest does not ask for. */
function marksOn({ metadata }: KubeObject, { object }: PreparedObject) {
  const there = (
    names: readonly string[],
    live: Readonly<Record<string, string>> = {},
    wanted: Readonly<Record<string, string>> = {},
  ) => names.filter((name) => live[name] !== undefined && wanted[name] === undefined);
  return {
    labels: there(claimMarks.labels, metadata.labels, object.metadata.labels),
    annotations: there(claimMarks.annotations, metadata.annotations, object.metadata.annotations),
  };
}
