import { join } from "node:path";
import { createAccount, createOperator, createUser, type KeyPair } from "@nats-io/nkeys";
import { readOrMake } from "../disk/files.ts";
import type { AccountKeys } from "./accounts.ts";
import { nativeKeyPair } from "./keypair.ts";

/** The embedded server's keys, from files (0600) in `folder`; made at the first start. */
export async function loadAccountKeys(folder: string): Promise<AccountKeys> {
  const load = async (name: string, make: () => KeyPair) =>
    nativeKeyPair(
      await readOrMake(join(folder, `${name}.nk`), () => `${new TextDecoder().decode(make().getSeed())}\n`),
    );
  return {
    operator: await load("operator", createOperator),
    system: await load("account-sys", createAccount),
    hub: await load("account-hub", createAccount),
    agents: await load("account-agents", createAccount),
    hubUser: await load("user-hub", createUser),
    systemUser: await load("user-sys", createUser),
  };
}
