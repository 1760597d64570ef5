import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Account, encodeAccount, encodeOperator, encodeUser, fmtCreds } from "@nats-io/jwt";
import { createAccount, createOperator, createUser, type KeyPair } from "@nats-io/nkeys";
import type { HubConfigPart } from "./hub-process.ts";

/** A NATS in operator mode as the operations page describes it: accounts SYS, HUB and AGENTS. */
export interface NatsAccounts {
  /** Lines for the server's configuration; the server runs in a directory of its own. */
  readonly serverConfig: string;
  /** Content of a credentials file of a user of account HUB. */
  readonly hubCredentials: Uint8Array;
  /** `nats:` of a hub's config, for servers at `urls`; its files are written into `folder`. */
  hubConfig(folder: string, urls: readonly string[]): Promise<HubConfigPart>;
}

const open = { subs: -1, conn: -1, leaf: 0, imports: -1, exports: -1, data: -1, payload: -1, wildcards: true };
const jetStream = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
const desired = "$JS.API.DIRECT.GET.KV_state.$KV.state.desired.*";
const chunks = "$JS.API.DIRECT.GET.bundles.bundle.>";

/** Makes keys and accounts; nothing runs yet. */
export async function makeNatsAccounts(): Promise<NatsAccounts> {
  const operator = createOperator();
  const [system, hub, agents] = [createAccount(), createAccount(), createAccount()];
  const keys = { system: system.getPublicKey(), hub: hub.getPublicKey(), agents: agents.getPublicKey() };
  const signer = { signer: operator };
  const from = { account: keys.hub };
  const hubClaims = {
    limits: { ...open, ...jetStream },
    exports: [
      { name: "desired", type: "service", subject: desired },
      { name: "chunks", type: "service", subject: chunks },
      { name: "hints", type: "stream", subject: "hint.*" },
    ],
  } as Partial<Account>;
  const agentClaims = {
    limits: open,
    imports: [
      { ...from, name: "desired", type: "service", subject: desired, to: "", local_subject: "get.desired.$1" },
      { ...from, name: "chunks", type: "service", subject: chunks },
      { ...from, name: "hints", type: "stream", subject: "hint.*" },
    ],
  } as Partial<Account>;
  const accounts = {
    [keys.system]: await encodeAccount("SYS", system, { limits: open } as Partial<Account>, signer),
    [keys.hub]: await encodeAccount("HUB", hub, hubClaims, signer),
    [keys.agents]: await encodeAccount("AGENTS", agents, agentClaims, signer),
  };
  const preload = Object.entries(accounts).map(([key, jwt]) => `${key}: ${jwt}`);
  return {
    serverConfig: [
      `operator: ${await encodeOperator("e2e", operator, { system_account: keys.system })}`,
      `system_account: ${keys.system}`,
      // Relative to where the server runs: a resolver that takes pushed revocations.
      'resolver: { type: full, dir: "jwt", allow_delete: false, interval: "2m" }',
      `resolver_preload: {\n${preload.join("\n")}\n}`,
    ].join("\n"),
    hubCredentials: await credentialsOf("e2e", hub),
    async hubConfig(folder, urls) {
      const file = async (name: string, content: string | Uint8Array) => {
        const path = join(folder, name);
        await writeFile(path, content, { mode: 0o600 });
        return path;
      };
      return {
        mode: "external",
        servers: [...urls],
        urls: [...urls],
        credentials: await file("hub.creds", await credentialsOf("hub", hub)),
        agentsAccount: keys.agents,
        agentsSigningKey: await file("agents.nk", seedOf(agents)),
        systemCredentials: await file("system.creds", await credentialsOf("hub-admin", system)),
        operatorSigningKey: await file("operator.nk", seedOf(operator)),
        replicas: 1,
      };
    },
  };
}

async function credentialsOf(name: string, account: KeyPair): Promise<Uint8Array> {
  const user = createUser();
  return fmtCreds(await encodeUser(name, user, account, {}), user);
}

function seedOf(pair: KeyPair): string {
  return new TextDecoder().decode(pair.getSeed());
}
