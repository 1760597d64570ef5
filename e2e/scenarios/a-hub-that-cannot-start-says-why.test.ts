import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { ensureTools, needTool } from "../toolchain/tools.ts";
import { type HubConfigPart, HubProcess } from "../world/hub-process.ts";
import { freePorts } from "../world/ports.ts";
import { endProcessesNaming, processesNaming, type RunResult, run } from "../world/process.ts";
import { capstan, productEnv } from "../world/programs.ts";
import { TempDir } from "../world/temp.ts";

const tools = await ensureTools(["helm", "kubectl", "natsServer"]);

describe("a hub that cannot start says why, ends, and leaves nothing running", () => {
  for (const [at, name] of [
    ["grpc", "gRPC"],
    ["http", "HTTP"],
    ["nats", "NATS"],
  ] as const) {
    test(`when its port for ${name} is in use`, async (context) => {
      const taken = await takenPort(context);
      const ports = await threePorts();
      const { code, stderr } = await serve(context, settings({ ...ports, [at]: taken }));
      assert.equal(code, 2);
      assert.match(stderr, new RegExp(`:${taken} .*\\(port-in-use\\)`));
      assert.match(stderr, /[Cc]hoose another port/);
    });
  }

  test("when a hub uses its data folder, on whatever ports; the first goes on, with its NATS", async () => {
    await using hub = await HubProcess.start({ tools });
    const nats = hub.embeddedNats();
    assert.ok(nats !== undefined);
    const config = join(hub.dataDir, "..", "hub.json");
    const { grpc, http, nats: port } = await threePorts();
    const others = ["id=second", `listen.grpc=${grpc}`, `listen.http=${http}`, `nats.port=${port}`];
    for (const settings of [[], others.flatMap((setting) => ["--set", setting])]) {
      const { code, stderr } = await hub.cli(["hub", "serve", "--config", config, ...settings], { bound: 20_000 });
      assert.equal(code, 2);
      assert.match(stderr, /data-in-use/);
    }
    assert.equal(hub.embeddedNats(), nats);
    assert.equal(await hub.isReady(), true);
  });

  test("when Helm is not where its config says", async (context) => {
    const config = settings(await threePorts(), { render: { helm: "/nowhere/helm", kubectl: tools.kubectl } });
    const { code, stderr } = await serve(context, config);
    assert.equal(code, 2);
    assert.match(stderr, /\/nowhere\/helm .*\(tool-missing\)/);
  });

  test("when nats-server is not where its config says", async (context) => {
    const ports = await threePorts();
    const nats = { mode: "embedded", binary: "/nowhere/nats-server", port: ports.nats };
    const { code, stderr } = await serve(context, { ...settings(ports), nats });
    assert.equal(code, 2);
    assert.match(stderr, /\/nowhere\/nats-server,? .*\(tool-missing\)/);
  });

  test("with every mistake of its config at once", async (context) => {
    const { listen } = settings(await threePorts());
    const { code, stderr } = await serve(context, {
      listen: { ...Object(listen), gprc: 7443 },
      lease: { duration: "soon" },
      roots: [{ name: "Fleet!", repoURL: "https://git.example.com/fleet.git" }],
    });
    assert.equal(code, 64);
    for (const found of [/bad-config/, /hub\.json/, /gprc/, /lease\.duration/, /roots\S*name/]) {
      assert.match(stderr, found);
    }
  });
});

/** Runs `hub serve` to its end, which must come by itself; whatever it leaves running fails the test. */
async function serve(context: TestContext, config: HubConfigPart): Promise<RunResult> {
  const dir = await TempDir.make("start");
  context.after(async () => {
    await endProcessesNaming(dir.path);
    await dir[Symbol.asyncDispose]();
  });
  await mkdir(dir.at("data"));
  await writeFile(dir.at("hub.json"), JSON.stringify({ data: dir.at("data"), ...config }));
  const { binary, args } = capstan();
  const ended = await run({
    name: "capstan hub serve",
    binary,
    args: [...args, "hub", "serve", "--config", dir.at("hub.json")],
    env: productEnv(dir.path),
    cwd: dir.path,
    bound: 15_000,
  });
  assert.deepEqual(processesNaming(dir.path), []);
  return ended;
}

interface Ports {
  readonly grpc: number;
  readonly http: number;
  readonly nats: number;
}

async function threePorts(): Promise<Ports> {
  const [grpc = 0, http = 0, nats = 0] = await freePorts(3);
  return { grpc, http, nats };
}

function settings({ grpc, http, nats }: Ports, more: HubConfigPart = {}): HubConfigPart {
  return {
    listen: { grpc, http },
    nats: { mode: "embedded", binary: needTool(tools, "natsServer"), port: nats },
    render: { helm: tools.helm, kubectl: tools.kubectl },
    ...more,
  };
}

/** A port that somebody else listens on for as long as the test runs. */
async function takenPort(context: TestContext): Promise<number> {
  const server = createServer();
  context.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
