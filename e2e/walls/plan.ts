/**
 * The plan of the house: which rooms there are and which way imports may go. A room imports rooms on its own floor or
 * below, and never in a circle. Floors are counted from 0, the ground.
 */
export interface House {
  /** Floor of each room, by folder name under src; files of src itself by file name. */
  readonly floors: Readonly<Record<string, number>>;
  /** Rooms that may import only the rooms listed, whatever the floors say. */
  readonly narrow: Readonly<Record<string, readonly string[]>>;
}

/** Files and rooms that bring others together; they alone see ports and reconcilers of others. */
export const wiring: readonly string[] = [
  "ports.ts",
  "hub.ts",
  "services.ts",
  "agent.ts",
  "main.ts",
  "testing",
  "wiring",
];

/** Houses by workspace. A new room is one line here, on the lowest floor that it needs. */
export const houses: Readonly<Record<string, House>> = {
  proto: {
    floors: { gen: 0, fault: 0, identity: 1, time: 1, wire: 2, loop: 2, health: 2, "index.ts": 3, testing: 4 },
    narrow: {},
  },
  hub: {
    floors: {
      // Languages: they know nothing of fleets.
      yaml: 0,
      template: 0,
      // What documents say and where facts are kept.
      documents: 1,
      store: 1,
      // Who and what is there.
      clusters: 2,
      identity: 2,
      projects: 2,
      leader: 2,
      audit: 2,
      // Data runs from here up to distribution; reports come back by `status`, which stands below `rollout` so that the
      // way back is no import upward.
      sources: 3,
      listings: 3,
      status: 3,
      targets: 3,
      generators: 4,
      render: 5,
      rollout: 6,
      guard: 6,
      distribution: 7,
      // One pass over all the above for each lane: what Git wants, what moves, what is sent.
      releases: 8,
      // What nobody names any more goes.
      collect: 8,
      // `config` assembles the fragments that rooms own (their config.ts), hence above them and imported by none.
      config: 9,
      api: 9,
      cli: 9,
      platform: 10,
      wiring: 11,
      "hub.ts": 12,
      "services.ts": 13,
      testing: 13,
      "main.ts": 14,
    },
    // The CLI is a client of the gRPC API, or works offline on files; it reaches into nothing that a running hub holds.
    narrow: {
      cli: [
        "yaml",
        "template",
        "documents",
        "clusters",
        "projects",
        "sources",
        "listings",
        "targets",
        "generators",
        "render",
        "config",
      ],
    },
  },
  agent: {
    floors: {
      identity: 0,
      link: 0,
      desired: 0,
      inventory: 0,
      cache: 1,
      drift: 2,
      health: 2,
      apply: 3,
      // What people look at: it changes nothing, and nothing waits for it.
      views: 3,
      targets: 4,
      report: 4,
      config: 5,
      // The record of all ports that agent.ts is given.
      "ports.ts": 6,
      platform: 7,
      "agent.ts": 8,
      testing: 9,
      "main.ts": 10,
    },
    narrow: {},
  },
};

/**
 * Pure libraries that a core may import, each with its reason: no input or output, no clock, no global state.
 * All else (SDKs and `node:` modules) belongs under `platform/`.
 */
export const pureLibraries: Readonly<Record<string, string>> = {
  "@capstan/proto": "the contract",
  "@bufbuild/protobuf": "messages of the contract",
  zod: "validation of what comes from outside",
  "js-yaml": "YAML in bulk",
  yaml: "YAML edits that keep comments",
  re2js: "regular expressions in linear time",
  semver: "version ranges",
  "@noble/hashes": "digests that templates ask for",
  diff: "text differences",
  "@michaelhomer/jqjs": "jq paths",
};

/** Pure libraries of one room only. */
export const roomLibraries: Readonly<Record<string, readonly string[]>> = {
  // Parses words into verbs; its output and exit are handed in (configureOutput, exitOverride).
  "hub/cli": ["commander"],
  // Health rules of projects; syntax trees are bounded, and regular expressions are ours.
  "proto/health": ["@marcbachmann/cel-js"],
};

/** File names that say nothing of what is inside, so that everything ends there. */
export const drawerNames: readonly string[] = ["utils", "util", "helpers", "helper", "common", "misc", "types"];
