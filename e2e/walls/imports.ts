import { houses, pureLibraries, roomLibraries, wiring } from "./plan.ts";
import { type Import, isTest, placeOf, resolveFrom, type Source, type Violation } from "./source.ts";

/** Walls 1 and 2: which way imports go between workspaces and rooms, and who may import SDKs and `node:`. */
export function importViolations(sources: readonly Source[]): Violation[] {
  return sources.flatMap((source) =>
    source.imports.flatMap((one) => {
      const found = one.specifier.startsWith(".") ? relative(source, one) : bare(source, one);
      return found === undefined ? [] : [{ ...found, path: source.path, line: one.line }];
    }),
  );
}

type Breach = Pick<Violation, "rule" | "message">;

function relative(source: Source, { specifier }: Import): Breach | undefined {
  const from = placeOf(source.path);
  const path = resolveFrom(source.path, specifier);
  const to = placeOf(path);
  if (to.workspace !== from.workspace) return otherWorkspace(source.path, path);
  const house = houses[from.workspace];
  if (house === undefined || from.room === undefined || to.room === undefined || isTest(source.path)) return undefined;
  const here = house.floors[from.room];
  const there = house.floors[to.room];
  if (here === undefined) return unknownRoom(from.workspace, from.room);
  if (there === undefined) return unknownRoom(to.workspace, to.room);
  if (from.room === to.room) return undefined;
  if (there > here) {
    return {
      rule: "no-import-upward",
      message:
        `${from.room} (floor ${here}) imports ${to.room} (floor ${there}): data runs up, imports run down, ` +
        "else rooms cannot be understood or tested alone. Declare what you need in your own port.ts, or move the " +
        "shared noun to the lower room (plan: e2e/walls/plan.ts)",
    };
  }
  const narrow = house.narrow[from.room];
  if (narrow !== undefined && !narrow.includes(to.room)) {
    return {
      rule: "no-import-upward",
      message: `${from.room} may import only ${narrow.join(", ")}: ask the running hub through its API instead`,
    };
  }
  return insides({ room: from.room, toRoom: to.room, path });
}

function insides({ room, toRoom, path }: { room: string; toRoom: string; path: string }): Breach | undefined {
  if (toRoom === "platform" && room !== "main.ts" && !wiring.includes(room)) {
    return {
      rule: "platform-only-in-main",
      message: `${room} imports platform: take a port as an argument; only main.ts brings cores and the world together`,
    };
  }
  if (toRoom === "platform" && room !== "main.ts" && room !== "testing") {
    return { rule: "platform-only-in-main", message: `${room} wires rooms over ports; only main.ts imports platform` };
  }
  const file = path.slice(path.lastIndexOf("/") + 1);
  const closed = file === "reconciler.ts" || (file === "port.ts" && room !== "platform");
  if (!closed || wiring.includes(room)) return undefined;
  return {
    rule: "no-foreign-port",
    message:
      `${room} imports ${file} of ${toRoom}: another room's port and reconciler are its inside. Import its model.ts or a ` +
      "pure verb, and declare what you need from the world in your own port.ts",
  };
}

function otherWorkspace(from: string, to: string): Breach {
  return {
    rule: "no-foreign-workspace",
    message:
      `${from.split("/")[0]} imports the file ${to}: packages meet only by name, hub and agent only over the wire, and ` +
      "e2e runs built programs. Import @capstan/proto, or move what both need there",
  };
}

function unknownRoom(workspace: string, room: string): Breach {
  return {
    rule: "unknown-room",
    message: `${workspace}/src/${room} is no room of the plan: give it a floor in e2e/walls/plan.ts, or use a room there is`,
  };
}

function bare(source: Source, { specifier }: Import): Breach | undefined {
  const { workspace, room } = placeOf(source.path);
  const name = packageName(specifier);
  if (name.startsWith("@capstan/")) return ownPackage(workspace, name);
  if (room === undefined || houses[workspace] === undefined || isTest(source.path)) return undefined;
  if (room === "platform" || room === "main.ts") return undefined;
  if (name in pureLibraries || roomLibraries[`${workspace}/${room}`]?.includes(name) === true) return undefined;
  return {
    rule: "no-world-in-core",
    message:
      `${specifier} touches the world or may; a core decides on data alone, so that each decision can be replayed. Declare ` +
      `what you need in port.ts and implement it under ${workspace}/src/platform (pure libraries: e2e/walls/plan.ts)`,
  };
}

function ownPackage(workspace: string, name: string): Breach | undefined {
  if (name === "@capstan/proto" && workspace !== "proto") return undefined;
  return {
    rule: "no-foreign-workspace",
    message: `${workspace} imports ${name}: only hub, agent and e2e import, and only @capstan/proto`,
  };
}

function packageName(specifier: string): string {
  if (specifier.startsWith("node:")) return specifier;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}
