import { Fault } from "@capstan/proto";
import { z } from "zod";
import type { Json, JsonObject } from "../documents/model.ts";
import type { Asking, ConfigMaps } from "./asking.ts";
import type { Listing, PluginQuery, SecretKeyRef } from "./model.ts";
import { bearer } from "./providers/provider.ts";

interface PluginSpec {
  readonly configMapRef?: { readonly name?: string };
  readonly input?: { readonly parameters?: Readonly<Record<string, Json>> };
}

/** Where a token without a Secret's name is: Argo CD's own Secret. */
const ownSecret = "argocd-secret";
const answer = z.object({
  output: z.object({ parameters: z.array(z.record(z.string(), z.json())).nullish() }),
});

/** Reads a plugin's ConfigMap: `baseUrl`, `token` (`$KEY` or `$SECRET:KEY`), `requestTimeout` in seconds. */
export function pluginOf(query: PluginQuery, configMaps: ConfigMaps): Asking {
  const spec = query.spec as PluginSpec;
  const name = spec.configMapRef?.name ?? "";
  const data = configMaps(query.namespace, name);
  if (data === undefined) {
    throw wrong(
      `there is no ConfigMap ${query.namespace}/${name}.`,
      "Add it to a root of documents, or apply it with capstan apply.",
    );
  }
  const url = (data["baseUrl"] ?? "").replace(/\/+$/, "");
  if (!/^https?:\/\/\S+$/.test(url)) {
    throw wrong(
      `baseUrl of ConfigMap ${query.namespace}/${name} is no http or https URL.`,
      "Write the plugin's URL there.",
    );
  }
  return {
    server: { url, isPublic: false },
    signIn: { kind: "bearer", ref: tokenRef(data["token"] ?? "", `${query.namespace}/${name}`) },
    tokenHeader: bearer,
    insecure: false,
    caRef: undefined,
    timeoutMs: timeoutOf(data["requestTimeout"], `${query.namespace}/${name}`),
    run: async (api): Promise<Listing> => {
      const body = {
        applicationSetName: query.set,
        input: { parameters: (spec.input?.parameters ?? {}) as JsonObject },
      };
      const { output } = await api.post("/api/v1/getparams.execute", body as unknown as Json, answer);
      // Without the list nothing is said: that is not the same as an empty one.
      if (output.parameters === undefined || output.parameters === null) {
        throw new Fault("api-answer", {
          message: `${api.server} answered without output.parameters.`,
          next: "Let the plugin answer a list, empty where there is nothing.",
        });
      }
      return { kind: "plugin", items: output.parameters as readonly JsonObject[] };
    },
  };
}

function tokenRef(text: string, configMap: string): SecretKeyRef {
  if (!text.startsWith("$") || text.length < 2) {
    throw wrong(`token of ConfigMap ${configMap} names no Secret.`, "Write $KEY, or $SECRET:KEY.");
  }
  const colon = text.indexOf(":");
  if (colon < 0) return { secretName: ownSecret, key: text.slice(1) };
  return { secretName: text.slice(1, colon), key: text.slice(colon + 1) };
}

function timeoutOf(text: string | undefined, configMap: string): number | undefined {
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= 600) return seconds === 0 ? undefined : seconds * 1000;
  throw wrong(`requestTimeout of ConfigMap ${configMap} is a number of seconds up to 600.`, "Write a whole number.");
}

function wrong(message: string, next: string): Fault {
  return new Fault("bad-input", { message, where: { field: "configMapRef" }, next });
}
