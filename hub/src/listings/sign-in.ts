import { z } from "zod";
import type { Api } from "./api.ts";
import type { Asking } from "./asking.ts";
import type { GeneratorsConfig } from "./config.ts";
import type { SecretKeyRef } from "./model.ts";
import type { AppSigner, SecretReader } from "./port.ts";
import { bearer } from "./providers/provider.ts";
import { secretValue } from "./secrets.ts";

/** What signing in takes. */
export interface SignInWorld {
  readonly config: Pick<GeneratorsConfig, "secrets">;
  readonly secrets: SecretReader;
  readonly signer: AppSigner;
  readonly now: number;
  /** An API with other headers, for the token of an app. */
  api(headers: Readonly<Record<string, string>>): Api;
}

const installationToken = z.object({ token: z.string() });

/** The headers that carry a query's credential. Throws `bad-config`, `not-allowed`, and what asking throws. */
export async function signInHeaders(
  { server, signIn, tokenHeader }: Asking,
  namespace: string,
  world: SignInWorld,
): Promise<Readonly<Record<string, string>>> {
  const read = (ref: SecretKeyRef) =>
    secretValue(ref, { namespace, server: server.url, isPublic: server.isPublic }, world);
  switch (signIn.kind) {
    case "none":
      return {};
    case "token":
      return tokenHeader(await read(signIn.ref));
    case "bearer":
      return bearer(await read(signIn.ref));
    case "basic":
      return { authorization: `Basic ${base64(`${signIn.username}:${await read(signIn.ref)}`)}` };
    case "app": {
      // The keys of a repository Secret of Argo CD's.
      const key = (name: string) => read({ secretName: signIn.secretName, key: name });
      const id = await key("githubAppID");
      const installation = await key("githubAppInstallationID");
      const token = world.signer.appToken({ id, privateKey: await key("githubAppPrivateKey") }, world.now);
      const path = `/app/installations/${encodeURIComponent(installation)}/access_tokens`;
      return bearer((await world.api(bearer(token)).post(path, {}, installationToken)).token);
    }
  }
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
