// Makes the accounts that a hub needs of an external NATS: keys, JWTs, credentials and a configuration for nats-server.
//
//   node docs/nats/accounts.mjs FOLDER
//
// FOLDER must be empty or absent. Everything in it is secret but for nats-server.conf's JWTs. Run it once, where the keys
// should live; docs/operations.md says which file goes where. With nsc the same claims can be made by hand: they are below.
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { encodeAccount, encodeOperator, encodeUser, fmtCreds } from "@nats-io/jwt";
import { createAccount, createOperator, createUser } from "@nats-io/nkeys";

const folder = process.argv[2];
if (folder === undefined) {
  process.stderr.write("usage: node docs/nats/accounts.mjs FOLDER\n");
  process.exit(64);
}
await mkdir(folder, { recursive: true, mode: 0o700 });
if ((await readdir(folder)).length > 0) {
  process.stderr.write(`${folder} is not empty: keys are not written over\n`);
  process.exit(64);
}

const text = (bytes) => new TextDecoder().decode(bytes);
const write = (name, content) => writeFile(join(folder, name), content, { mode: 0o600 });

const operator = createOperator();
const operatorSigning = createOperator();
const system = createAccount();
const hub = createAccount();
const agents = createAccount();
const agentsSigning = createAccount();

// The library leaves each limit at 0, which means that none is allowed.
const open = { subs: -1, conn: -1, leaf: 0, imports: -1, exports: -1, data: -1, payload: -1, wildcards: true };
const jetStream = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
const desired = "$JS.API.DIRECT.GET.KV_state.$KV.state.desired.*";
const chunks = "$JS.API.DIRECT.GET.bundles.bundle.>";

const operatorJwt = await encodeOperator("capstan", operator, {
  system_account: system.getPublicKey(),
  signing_keys: [operatorSigning.getPublicKey()],
});
const systemJwt = await encodeAccount("SYS", system, { limits: open }, { signer: operator });
const hubClaims = {
  limits: { ...open, ...jetStream },
  exports: [
    { name: "desired", type: "service", subject: desired },
    { name: "chunks", type: "service", subject: chunks },
    { name: "hints", type: "stream", subject: "hint.*" },
  ],
};
const from = { account: hub.getPublicKey() };
const agentsClaims = {
  limits: open,
  signing_keys: [agentsSigning.getPublicKey()],
  imports: [
    { ...from, name: "desired", type: "service", subject: desired, to: "", local_subject: "get.desired.$1" },
    { ...from, name: "chunks", type: "service", subject: chunks },
    { ...from, name: "hints", type: "stream", subject: "hint.*" },
  ],
};
const hubJwt = await encodeAccount("HUB", hub, hubClaims, { signer: operator });
const agentsJwt = await encodeAccount("AGENTS", agents, agentsClaims, { signer: operator });

const credentials = async (name, account) => {
  const user = createUser();
  return fmtCreds(await encodeUser(name, user, account, {}), user);
};
await write("hub.creds", await credentials("capstan-hub", hub));
await write("system.creds", await credentials("capstan-hub", system));
await write("agents-signing.nk", `${text(agentsSigning.getSeed())}\n`);
await write("operator-signing.nk", `${text(operatorSigning.getSeed())}\n`);
// For your safe, not for the hub: they make everything above.
await write("safe-operator.nk", `${text(operator.getSeed())}\n`);
await write("safe-account-sys.nk", `${text(system.getSeed())}\n`);
await write("safe-account-hub.nk", `${text(hub.getSeed())}\n`);
await write("safe-account-agents.nk", `${text(agents.getSeed())}\n`);

const accounts = [
  [system.getPublicKey(), systemJwt],
  [hub.getPublicKey(), hubJwt],
  [agents.getPublicKey(), agentsJwt],
];
await write(
  "nats-server.conf",
  `# Add listen addresses, tls and, for three servers, a cluster block. Give each server its own server_name and folders.
server_name: nats-1
port: 4222
max_payload: 1048576
operator: ${operatorJwt}
system_account: ${system.getPublicKey()}
resolver: { type: full, dir: "jwt", allow_delete: false, interval: "2m" }
resolver_preload: {
${accounts.map(([key, jwt]) => `  ${key}: ${jwt}`).join("\n")}
}
jetstream { store_dir: "jetstream", sync_interval: "always" }
`,
);

const at = (name) => resolve(folder, name);
process.stdout.write(`# For the hub's config
nats:
  mode: external
  servers: [tls://nats.example.com:4222]
  credentials: ${at("hub.creds")}
  agentsSigningKey: ${at("agents-signing.nk")}
  agentsAccount: ${agents.getPublicKey()}
  systemCredentials: ${at("system.creds")}
  operatorSigningKey: ${at("operator-signing.nk")}
`);
