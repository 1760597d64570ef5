import type { AppProjectSpec, JsonObject } from "../documents/model.ts";
import type { Json } from "../yaml/json.ts";
import { fits } from "./glob.ts";

/** A sync window of a project that concerns an application (argo-cd `SyncWindow`). */
export interface SyncWindow {
  readonly allow: boolean;
  /** Five-field cron of its starts. */
  readonly schedule: string;
  /** As Argo CD writes it, for example `1h`. */
  readonly duration: string;
  /** IANA time zone; UTC where none is given. */
  readonly timeZone: string;
  /** A person's sync passes. */
  readonly manualSync: boolean;
  readonly description: string;
}

/** What a window is matched against. */
export interface WindowTarget {
  readonly application: string;
  readonly namespace: string;
  /** The cluster's name and server as Argo CD knows them. */
  readonly cluster: { readonly name: string; readonly server: string };
}

/** The project's windows that concern an application: any of the three lists matches, or all with `andOperator`. */
export function windowsFor(spec: AppProjectSpec, target: WindowTarget): SyncWindow[] {
  return (spec.syncWindows ?? []).filter((window) => concerns(window, target)).map(windowOf);
}

function concerns(window: JsonObject, { application, namespace, cluster }: WindowTarget): boolean {
  const asked: boolean[] = [];
  const ask = (field: string, texts: readonly string[]) => {
    const patterns = strings(window[field]);
    if (patterns.length > 0) asked.push(patterns.some((pattern) => texts.some((text) => fits(pattern, text))));
  };
  ask("applications", [application]);
  ask("namespaces", [namespace]);
  ask("clusters", [cluster.name, cluster.server]);
  if (asked.length === 0) return false;
  return window["andOperator"] === true ? asked.every(Boolean) : asked.some(Boolean);
}

function windowOf(window: JsonObject): SyncWindow {
  return {
    allow: window["kind"] === "allow",
    schedule: text(window["schedule"]),
    duration: text(window["duration"]),
    timeZone: text(window["timeZone"]) || "UTC",
    manualSync: window["manualSync"] === true,
    description: text(window["description"]),
  };
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

function strings(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}
