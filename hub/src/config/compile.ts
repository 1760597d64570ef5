import { Fault } from "@capstan/proto";
import type { z } from "zod";
import type { IdentityTimes } from "../identity/model.ts";
import { defaultIdentityTimes } from "../identity/model.ts";
import type { LeaseTimes } from "../leader/model.ts";
import { parseDurationMs } from "../targets/policy.ts";
import { readYaml } from "../yaml/read.ts";
import { type HubConfigFile, hubConfigFile } from "./raw.ts";

/** What the hub runs with: frozen, durations in milliseconds. */
export interface HubConfig extends Omit<HubConfigFile, "lease" | "identity" | "defaults"> {
  readonly lease: LeaseTimes;
  readonly identity: IdentityTimes & { readonly connectionAgeMs: number };
  readonly defaults: {
    readonly serviceAccount: string;
    readonly strategy: "careful" | "AllAtOnce";
    readonly healthDeadlineMs: number;
    readonly stableForMs: number;
  };
}

/** A setting given on the command line: `listen.grpc=7443`. It wins over the file. */
export interface Override {
  readonly path: readonly string[];
  readonly value: string | number | boolean;
}

/** Reads a config file's text and the flags over it. Throws `bad-config` with **every** problem at once. */
export function compileConfig(text: string, file: string, overrides: readonly Override[] = []): HubConfig {
  const raw = withOverrides(parseFile(text, file), overrides);
  const parsed = hubConfigFile.safeParse(raw);
  if (!parsed.success) throw badConfig(file, parsed.error);
  const problems = contradictions(parsed.data);
  if (problems.length > 0) throw listed(file, problems);
  return freeze(compiled(parsed.data));
}

function parseFile(text: string, file: string): unknown {
  if (text.trim() === "") return {};
  const documents = readYaml(text, { file });
  if (documents.length > 1) throw listed(file, ["expected one document, found several"]);
  return documents[0]?.value ?? {};
}

function withOverrides(raw: unknown, overrides: readonly Override[]): unknown {
  if (typeof raw !== "object" || raw === null) return raw;
  const copy = structuredClone(raw) as Record<string, unknown>;
  for (const { path, value } of overrides) {
    let at = copy;
    for (const key of path.slice(0, -1)) {
      const inner = at[key];
      at[key] = typeof inner === "object" && inner !== null ? inner : {};
      at = at[key] as Record<string, unknown>;
    }
    at[path.at(-1) ?? ""] = value;
  }
  return copy;
}

function contradictions(config: HubConfigFile): string[] {
  const problems: string[] = [];
  const lease = leaseOf(config);
  if (lease.renewDeadline >= lease.duration) problems.push("lease.renewDeadline must be shorter than lease.duration");
  if (lease.retry >= lease.renewDeadline) problems.push("lease.retry must be shorter than lease.renewDeadline");
  const ports = [
    config.listen.grpc,
    config.listen.http,
    ...(config.nats.mode === "embedded" ? [config.nats.port] : []),
  ];
  for (const port of new Set(ports.filter((each, index) => each !== 0 && ports.indexOf(each) !== index))) {
    problems.push(`listen.grpc, listen.http and nats.port must differ: ${port} is given twice`);
  }
  const names = config.roots.map(({ name }) => name);
  for (const name of new Set(names.filter((each, index) => names.indexOf(each) !== index))) {
    problems.push(`roots: the name ${name} is given twice`);
  }
  return problems;
}

function compiled(config: HubConfigFile): HubConfig {
  const ms = parseDurationMs;
  return {
    ...config,
    lease: leaseOf(config),
    identity: {
      ...defaultIdentityTimes,
      certificate: ms(config.identity.certificate),
      grace: ms(config.identity.grace),
      rootOverlap: ms(config.identity.rootOverlap),
      connectionAgeMs: ms(config.identity.connectionAge),
    },
    defaults: {
      serviceAccount: config.defaults.serviceAccount,
      strategy: config.defaults.strategy,
      healthDeadlineMs: ms(config.defaults.healthDeadline),
      stableForMs: ms(config.defaults.stableFor),
    },
  };
}

function leaseOf({ lease }: HubConfigFile): LeaseTimes {
  return {
    duration: parseDurationMs(lease.duration),
    renewDeadline: parseDurationMs(lease.renewDeadline),
    retry: parseDurationMs(lease.retry),
  };
}

function badConfig(file: string, error: z.ZodError): Fault {
  return listed(
    file,
    error.issues.map(({ path, message }) => `${path.length === 0 ? "" : `${path.join(".")}: `}${message}`),
  );
}

function listed(file: string, problems: readonly string[]): Fault {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return new Fault("bad-config", {
    message: `${count}:\n${problems.map((problem) => `  - ${problem}`).join("\n")}\n`,
    where: { file },
    next: "Mend them; capstan hub check -f FILE looks without starting.",
  });
}

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) freeze(inner);
    Object.freeze(value);
  }
  return value;
}
