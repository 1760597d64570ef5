import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Fault } from "@capstan/proto";
import {
  ApplyDocumentsResponseSchema,
  DiffTargetsResponseSchema,
  ListTargetsResponseSchema,
} from "@capstan/proto/application";
import {
  AddClusterResponseSchema,
  ListClustersResponseSchema,
  RemoveClusterResponseSchema,
  UpdateClusterResponseSchema,
} from "@capstan/proto/fleet";
import { GetRolloutResponseSchema, RollBackResponseSchema, WatchRolloutsResponseSchema } from "@capstan/proto/rollout";
import { runProgram } from "./program.ts";
import { journey4, now } from "./testing/fleet.ts";
import { type FakeGiven, type FakeHub, fakePorts } from "./testing/ports.ts";
import { verbs } from "./verbs.ts";

const answers =
  <D extends DescMessage>(schema: D, init: MessageInitShape<D>) =>
  async () =>
    create(schema, init);

async function run(args: string, hub: FakeHub = {}, given: FakeGiven = {}) {
  const fake = fakePorts(hub, given);
  const words = args.split(" ").filter((word) => word !== "");
  const code = await runProgram(words, fake.ports, new AbortController().signal);
  return { code, out: fake.out(), err: fake.err(), files: fake.files };
}

describe("the grammar", () => {
  it("shows help without words, and for every verb its examples", async () => {
    const { code, out } = await run("");
    assert.equal(code, 0);
    assert.match(out, /Exit codes: 0 done, 1 differences/);
    const unexplained = out.split("\n").filter((line) => /^ {2}[a-z|-]+$/.test(line));
    assert.deepEqual(unexplained, []);
    assert.equal((await run("help cluster add")).out, (await run("cluster add --help")).out);
    for (const { words, examples } of verbs) {
      const help = await run(`${words} --help`);
      assert.equal(help.code, 0, words);
      for (const example of examples) assert.ok(help.out.includes(`capstan ${example}`), words);
      assert.ok(
        help.out.split("\n").every((line) => line.length <= 110),
        `${words} is too wide`,
      );
    }
  });

  it("names each verb once, and the names of its flags do not clash", () => {
    const words = verbs.map((verb) => verb.words);
    assert.equal(new Set(words).size, words.length);
  });

  it("refuses wrong words with 64 and one line, without a stack", async () => {
    for (const args of [
      "clusteer",
      "cluster foo",
      "status --nope",
      "get nonsense",
      "cluster add",
      "apply",
      "status -o xml",
    ]) {
      const { code, err } = await run(args, { fleet: { getFleetStatus: async () => journey4 } });
      assert.equal(code, 64, args);
      assert.match(err, /^capstan: /, args);
      assert.doesNotMatch(err, /\n\s+at /, args);
    }
  });

  it("takes plurals and short forms", async () => {
    const fleet = { listClusters: answers(ListClustersResponseSchema, { clusters: [{ id: "eu-1" }] }) };
    for (const args of ["cluster list", "clusters list", "cl list", "get cl", "get clusters", "get cluster"]) {
      const { code, out } = await run(`${args} -o name`, { fleet });
      assert.deepEqual([code, out], [0, "cluster/eu-1\n"], args);
    }
  });
});

describe("exit codes", () => {
  it("tell the hub's refusals apart", async () => {
    const codes = {
      "hub-unreachable": 69,
      "not-leader": 69,
      "not-allowed": 77,
      "not-signed-in": 77,
      held: 3,
      internal: 2,
      "bad-input": 64,
    };
    for (const [code, wanted] of Object.entries(codes)) {
      const fault = new Fault(code as "held", { message: "no.", next: "Do this." });
      const fails = () => Promise.reject(fault);
      const found = await run("status", { fleet: { getFleetStatus: fails } });
      assert.deepEqual([found.code, found.err], [wanted, `capstan: no. (${code})\n  Do this.\n`]);
    }
  });

  it("of diff are 0, 1 and 2, as kubectl's", async () => {
    const diff = (init: MessageInitShape<typeof DiffTargetsResponseSchema>) => ({
      applications: { diffTargets: answers(DiffTargetsResponseSchema, init) },
    });
    const group = { change: "changed", targets: ["argocd/web on a", "argocd/web on b"], diff: "-a\n+b\n" };
    assert.equal((await run("diff", diff({}))).code, 0);
    const found = await run("diff", diff({ groups: [group] }));
    assert.equal(found.code, 1);
    assert.match(found.out, /changed, the same on 2 targets\n {2}argocd\/web on a\n/);
    assert.match((await run("diff -o markdown", diff({ groups: [group] }))).out, /```diff\n-a\n\+b\n```/);
    assert.equal((await run("diff", diff({ faults: [{ code: "render-failed", message: "no." }] }))).code, 2);
  });
});

describe("verbs that destroy", () => {
  const fleet = {
    removeCluster: answers(RemoveClusterResponseSchema, { targets: ["argocd/web", "argocd/api"] }),
  };

  it("refuse without a terminal and without -y, after showing what they would do", async () => {
    const { code, err } = await run("cluster remove eu-1", { fleet });
    assert.equal(code, 64);
    assert.match(err, /Its 2 targets stay there[^]*argocd\/web\n[^]*Say -y\./);
  });

  it("change nothing when the answer is no, and go on with yes or -y", async () => {
    assert.deepEqual(await codeOf("cluster remove eu-1", { answer: false }), 4);
    assert.deepEqual(await codeOf("cluster remove eu-1", { answer: true }), 0);
    assert.deepEqual(await codeOf("cluster remove eu-1 -y", {}), 0);
  });

  it("ask for a label only where something moves by it", async () => {
    const update = (effects: string[]) => ({ updateCluster: answers(UpdateClusterResponseSchema, { effects }) });
    assert.equal((await run("cluster label eu-1 env=prod", { fleet: update([]) })).code, 0);
    const moved = await run("cluster label eu-1 env=prod", { fleet: update(["argocd/web leaves eu-1"]) });
    assert.equal(moved.code, 64);
    assert.match(moved.err, /argocd\/web leaves eu-1/);
  });

  async function codeOf(args: string, given: FakeGiven) {
    return (await run(args, { fleet }, given)).code;
  }
});

describe("cluster add", () => {
  const fleet = {
    addCluster: answers(AddClusterResponseSchema, {
      cluster: { id: "eu-1" },
      token: "capstan-join.eu-1.x",
      expiresAt: timestampFromMs(now + 599_200),
      hubEndpoints: ["hub:7443"],
    }),
  };

  it("says how to join, as journey 2 draws it", async () => {
    const { out } = await run("cluster add eu-1", { fleet });
    assert.equal(
      out,
      `eu-1 may join once, until 14:19 (10 min).

Its token, shown only now:
capstan-join.eu-1.x

Run this where kubectl points at the cluster:
  capstan cluster join eu-1 --hub hub:7443 --token-file - --context eu-1
  (paste the token; shows what it will create, then installs)
or pipe the manifest yourself:
  capstan cluster manifest eu-1 --hub hub:7443 --token-file - | kubectl apply -f -
`,
    );
  });

  it("keeps the token off the screen where a file is named", async () => {
    const { out, files } = await run("cluster add eu-1 --token-out /t -o json", { fleet });
    assert.equal(files.get("/t"), "capstan-join.eu-1.x\n");
    assert.doesNotMatch(out, /capstan-join/);
  });

  it("gives a token to its own cluster only", async () => {
    const token = `capstan-join.eu-1.${"0".repeat(16)}.${"a".repeat(43)}.${"f".repeat(64)}`;
    const good = await run("cluster manifest eu-1 --hub h:1 --token-file -", {}, { input: `${token}\n` });
    assert.equal(good.code, 0);
    assert.match(good.out, /name: cluster-admin/);
    const bad = await run("cluster manifest us-1 --hub h:1 --token-file -", {}, { input: token });
    assert.equal(bad.code, 77);
    assert.match(bad.err, /expected a join token for us-1, found one for eu-1/);
    assert.doesNotMatch(bad.err, /aaaa/);
  });
});

describe("apply", () => {
  it("shows the screen of journey 3, and fails where something was refused", async () => {
    const response = {
      results: [
        set("platform-addons", "clusters (24 matched)", 24),
        set("team-apps", "matrix: git directories × clusters", 412, {
          code: "unsupported",
          message: "spec.template.spec.info is kept but not shown yet",
          where: { file: "argocd/team-apps.yaml", line: "31" },
        }),
      ],
    };
    const applications = { applyDocuments: answers(ApplyDocumentsResponseSchema, response) };
    const { out, code } = await run(
      "apply -f /set.yaml --dry-run",
      { applications },
      { files: { "/set.yaml": "a: b" } },
    );
    assert.equal(code, 0);
    assert.equal(
      out,
      `appset/platform-addons  created  clusters (24 matched)               24 targets, 24 new
appset/team-apps        created  matrix: git directories × clusters  412 targets, 412 new
warning  appset/team-apps argocd/team-apps.yaml:31  spec.template.spec.info is kept but not
         shown yet
nothing was changed (--dry-run)
`,
    );
    const faults = [
      { code: "bad-yaml", message: "expected a key.", where: { file: "x.yaml", line: "3", column: "1" } },
    ];
    const refused = { applications: { applyDocuments: answers(ApplyDocumentsResponseSchema, { faults }) } };
    const failed = await run("apply -f -", refused, { input: "a" });
    assert.deepEqual([failed.code, failed.out], [2, "x.yaml:3:1: expected a key. (bad-yaml)\n"]);
  });

  function set(
    name: string,
    summary: string,
    targets: number,
    warning?: { code: string; message: string; where: Record<string, string> },
  ) {
    const warnings = warning === undefined ? [] : [warning];
    return {
      kind: "ApplicationSet",
      namespace: "argocd",
      name,
      outcome: "created",
      summary,
      targets,
      newTargets: targets,
      warnings,
    };
  }
});

describe("lists", () => {
  it("ask for every page", async () => {
    const asked: string[] = [];
    const applications: FakeHub["applications"] = {
      listTargets: async ({ options }) => {
        asked.push(options?.pageToken ?? "");
        const last = options?.pageToken === "2";
        return create(ListTargetsResponseSchema, {
          targets: [{ namespace: "argocd", name: last ? "b" : "a", cluster: "eu-1" }],
          result: { nextPageToken: last ? "" : "2", asOf: timestampFromMs(now - 1000) },
        });
      },
    };
    const { out } = await run("get targets -c eu-1", { applications });
    assert.deepEqual(asked, ["", "2"]);
    assert.match(out, /^TARGET .*\na .*\nb .*\nas of 1 s ago\n$/);
  });
});

describe("following a rollout", () => {
  const at = (state: string, done: number) => ({
    id: "r1",
    lane: "team:web",
    state,
    stages: [
      {
        name: "all",
        state: "Dispatching",
        clusters: ["a", "b"].map((cluster, i) => ({ cluster, state: i < done ? "Done" : "Applying" })),
      },
    ],
  });
  const rollouts = (states: readonly ReturnType<typeof at>[]): FakeHub => ({
    rollouts: {
      getRollout: answers(GetRolloutResponseSchema, { rollout: at("Running", 0) }),
      rollBack: answers(RollBackResponseSchema, { rollout: at("Running", 0) }),
      watchRollouts: async function* () {
        for (const rollout of states) yield create(WatchRolloutsResponseSchema, { type: 2, rollout });
      },
    },
  });

  it("ends with the run, and its exit code says how", async () => {
    const ends = { Succeeded: 0, SucceededWithDeferred: 5, Failed: 2, Aborted: 4, Paused: 3, Held: 3 };
    for (const [state, code] of Object.entries(ends)) {
      const found = await run("rollout watch web", rollouts([at("Running", 1), at(state, 2)]));
      assert.equal(found.code, code, state);
      assert.equal(found.out.split("\n").length, 4, "a line for each step");
    }
  });

  it("goes on through a hold when told so", async () => {
    const found = await run("rollout watch web --through-holds", rollouts([at("Held", 1), at("Succeeded", 2)]));
    assert.equal(found.code, 0);
  });

  it("says that a rollback pins, and follows it with --wait", async () => {
    const found = await run("rollout rollback web --scope all --wait", rollouts([at("Succeeded", 2)]));
    assert.equal(found.code, 0);
    assert.match(
      found.out,
      /team:web goes back to - on 2 clusters[^]*capstan rollout unpin team:web[^]*Succeeded .* 2\/2 clusters/,
    );
    const dry = await run("rollout rollback web --scope all --dry-run", rollouts([]));
    assert.match(dry.out, /would go back from - to what each cluster held before, on 2 clusters \(scope all\)/);
    assert.equal((await run("rollout rollback web --scope most", rollouts([]))).code, 64);
  });
});

describe("contexts", () => {
  it("are kept by login, chosen by use, and forgotten by logout", async () => {
    const environment = { data: undefined };
    const whoAmI = { system: { whoAmI: () => Promise.reject(new Fault("unsupported", { message: "no." })) } };
    const admin = JSON.stringify({ endpoints: ["hub:7443"], ca: "AA==", token: "t" });
    const given = { environment, files: { "/admin.json": admin } };
    assert.equal((await run("whoami", {}, { environment })).code, 77);
    const signedIn = await run("login --from /admin.json --name lab", whoAmI, given);
    assert.equal(signedIn.code, 0);
    const file = { "/config.json": signedIn.files.get("/config.json") ?? "" };
    assert.match((await run("context list", {}, { environment, files: file })).out, /\* {2}lab {3}hub:7443/);
    assert.equal((await run("context use other", {}, { environment, files: file })).code, 77);
    const out = await run("logout", {}, { environment, files: file });
    assert.deepEqual(JSON.parse(out.files.get("/config.json") ?? ""), { current: "", contexts: {} });
  });

  it("refuse a hub's CA that nobody confirmed", async () => {
    const given = { environment: { data: undefined }, input: "t" };
    assert.equal((await run("login --hub hub:7443 --token-file -", {}, given)).code, 64);
    const whoAmI = { system: { whoAmI: () => Promise.reject(new Fault("unsupported", { message: "no." })) } };
    assert.equal((await run("login --hub hub:7443 --token-file - --ca-pin 00", whoAmI, given)).code, 0);
  });
});

describe("offline work", () => {
  it("hub check lists every problem at once", async () => {
    const files = { "/bad.yaml": "listen: {grpc: 99999}\nbogus: 1\nlogLevel: loud\n" };
    const { code, err } = await run("hub check -f /bad.yaml", {}, { files });
    assert.equal(code, 64);
    for (const problem of ["listen.grpc", "logLevel", "bogus"]) assert.ok(err.includes(problem), problem);
    const good = await run("hub check -f /good.yaml --set listen.grpc=7999", {}, { files: { "/good.yaml": "{}" } });
    assert.match(good.out, /gRPC 7999/);
  });

  it("schema and completion print what they promise", async () => {
    const schema = JSON.parse((await run("schema appset")).out) as { title: string; properties: object };
    assert.equal(schema.title, "ApplicationSet");
    assert.ok("spec" in schema.properties);
    for (const shell of ["bash", "zsh", "fish"]) assert.match((await run(`completion ${shell}`)).out, /rollback/);
    assert.equal((await run("completion csh")).code, 64);
  });
});
