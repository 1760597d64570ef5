import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault } from "@capstan/proto";
import { FakeClock } from "@capstan/proto/testing";
import type { JsonObject } from "../documents/model.ts";
import { generatorsFragment } from "./config.ts";
import { confirmed, lacks } from "./confirm.ts";
import type { Listing, ListingQuery, PullRequest } from "./model.ts";
import type { ApiReply, ApiRequest } from "./port.ts";
import { limitedUntil } from "./rate.ts";
import { ListingsReconciler } from "./reconciler.ts";

type Answer = (request: ApiRequest, count: number) => Partial<ApiReply> | Fault;

/** A reconciler over servers that a test answers for. */
class Bench {
  readonly clock = new FakeClock();
  readonly sent: ApiRequest[] = [];
  readonly changed: string[] = [];
  readonly listings: ListingsReconciler;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  answer: Answer;

  constructor(answer: Answer, config: Parameters<typeof generatorsFragment.parse>[0] = {}) {
    this.answer = answer;
    this.listings = new ListingsReconciler({
      client: {
        send: async (request) => {
          this.sent.push(request);
          const reply = this.answer(request, this.sent.length);
          if (reply instanceof Fault) throw reply;
          return { status: 200, headers: {}, body: "[]", ...reply };
        },
      },
      secrets: { read: async (reference) => ("env" in reference ? reference.env : "") },
      signer: { appToken: () => "" },
      config: generatorsFragment.parse(config),
      configMaps: () => undefined,
      clock: this.clock,
      chance: () => 0.5,
    });
    this.listings.onChange((key) => this.changed.push(key));
    this.#running = this.listings.start(this.#stop.signal);
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.clock.advance(0);
    await this.#running;
  }
}

function pullRequests(github: JsonObject = {}, everySeconds = 60): ListingQuery {
  const spec = { github: { owner: "acme", repo: "shop", ...github } };
  return { kind: "pullRequests", namespace: "argocd", everySeconds, spec };
}

function pulls(...numbers: number[]): Partial<ApiReply> {
  const of = (number: number) => ({ number, title: "t", head: { ref: "b", sha: "c0ffee" }, base: { ref: "main" } });
  return { body: JSON.stringify(numbers.map(of)) };
}

function numbersOf(listing: Listing | undefined): string[] | undefined {
  return listing?.items.map((item) => String((item as PullRequest).number));
}

describe("listings", () => {
  it("are asked once for all who need them, again when they are due, and told when they change", async () => {
    const bench = new Bench(() => pulls(1));
    const stops = [bench.listings.watch(pullRequests({}, 600)), bench.listings.watch(pullRequests({}, 60))];
    await bench.clock.advance(1000);
    assert.deepEqual(numbersOf(bench.listings.current(pullRequests())?.listing), ["1"]);
    assert.equal(bench.sent.length, 1);
    bench.answer = () => pulls(1, 2);
    await bench.clock.advance(60_000);
    assert.deepEqual([bench.sent.length, bench.changed.length], [2, 2]);
    // Nobody has so short a period any more.
    stops[1]?.();
    await bench.clock.advance(130_000);
    assert.deepEqual([bench.sent.length, bench.changed.length], [3, 2]);
    stops[0]?.();
    await bench.clock.advance(3_600_000);
    assert.equal(bench.sent.length, 3);
    assert.equal(bench.listings.current(pullRequests()), undefined);
    await bench.end();
  });

  it("keep the last complete answer while the server fails, with the fault and its moment", async () => {
    const bench = new Bench(() => pulls(1, 2));
    bench.listings.watch(pullRequests());
    await bench.clock.advance(1000);
    const asOf = bench.listings.current(pullRequests())?.asOf;
    for (const [answer, code] of [
      [{ status: 500 }, "api-unreachable"],
      [{ status: 401 }, "api-auth"],
      [{ status: 404 }, "repository-not-found"],
      [{ body: "<html>" }, "api-answer"],
      [new Fault("timeout", { message: "late." }), "timeout"],
    ] as const) {
      bench.answer = () => answer;
      await bench.clock.advance(400_000);
      const state = bench.listings.current(pullRequests());
      assert.deepEqual([state?.fault?.code, numbersOf(state?.listing), state?.asOf], [code, ["1", "2"], asOf]);
    }
    bench.answer = () => pulls(2);
    await bench.clock.advance(400_000);
    assert.deepEqual(numbersOf(bench.listings.current(pullRequests())?.listing), ["2"]);
    assert.equal(bench.listings.current(pullRequests())?.fault, undefined);
    await bench.end();
  });

  it("are none where a later page fails", async () => {
    const more = { link: '<https://api.github.com/x?page=2>; rel="next"' };
    const bench = new Bench(({ url }) => (url.includes("page=2") ? { status: 502 } : { ...pulls(1), headers: more }));
    bench.listings.watch(pullRequests());
    await bench.clock.advance(30_000);
    const state = bench.listings.current(pullRequests());
    assert.deepEqual([state?.listing, state?.fault?.code], [undefined, "api-unreachable"]);
    await bench.end();
  });

  it("try a failing server again within the listing", async () => {
    const bench = new Bench((_, count) => (count < 3 ? { status: 503 } : pulls(1)));
    bench.listings.watch(pullRequests());
    await bench.clock.advance(10_000);
    assert.equal(bench.sent.length, 3);
    assert.equal(bench.listings.current(pullRequests())?.fault, undefined);
    await bench.end();
  });

  it("leave a server alone that says so, for all its queries with one token, and wait out a short limit", async () => {
    const bench = new Bench((_, count) =>
      count === 1 ? { status: 429, headers: { "retry-after": "600" } } : count === 2 ? { status: 500 } : pulls(1),
    );
    bench.listings.watch(pullRequests());
    await bench.clock.advance(1000);
    bench.listings.watch(pullRequests({ repo: "other" }));
    await bench.clock.advance(590_000);
    assert.equal(bench.sent.length, 1);
    for (const query of [pullRequests(), pullRequests({ repo: "other" })])
      assert.equal(bench.listings.current(query)?.fault?.code, "rate-limited");
    await bench.clock.advance(15_000);
    assert.deepEqual(numbersOf(bench.listings.current(pullRequests())?.listing), ["1"]);
    const before = bench.sent.length;
    bench.answer = (_, count) =>
      count === before + 1 ? { status: 429, headers: { "retry-after": "3" } } : pulls(1, 2);
    await bench.clock.advance(70_000);
    assert.deepEqual(numbersOf(bench.listings.current(pullRequests())?.listing), ["1", "2"]);
    await bench.end();
  });

  it("stop asking about further repositories once the server has had enough", async () => {
    const repositories = Array.from({ length: 60 }, (_, id) => ({
      ...{ id, name: `r${id}`, owner: { login: "acme" }, default_branch: "main" },
      ...{ ssh_url: "git@x", clone_url: "https://x" },
    }));
    const bench = new Bench(({ url }, count) => {
      if (url.includes("/orgs/")) return { body: JSON.stringify(repositories) };
      if (count > 20) return { status: 403, headers: { "retry-after": "60" } };
      return { body: JSON.stringify({ name: "main", commit: { sha: "c0ffee" } }) };
    });
    const spec = { github: { organization: "acme" } };
    const query: ListingQuery = { kind: "repositories", namespace: "argocd", everySeconds: 600, spec };
    bench.listings.watch(query);
    await bench.clock.advance(2000);
    assert.equal(bench.listings.current(query)?.fault?.code, "rate-limited");
    assert.ok(bench.sent.length < 40, `${bench.sent.length} requests`);
    await bench.end();
  });

  it("ask by ETag, page by page", async () => {
    const bench = new Bench(({ headers }) =>
      headers["if-none-match"] === '"one"' ? { status: 304 } : { ...pulls(7), headers: { etag: '"one"' } },
    );
    bench.listings.watch(pullRequests());
    await bench.clock.advance(200_000);
    assert.deepEqual(
      bench.sent.slice(0, 3).map(({ headers }) => headers["if-none-match"]),
      [undefined, '"one"', '"one"'],
    );
    assert.deepEqual(numbersOf(bench.listings.current(pullRequests())?.listing), ["7"]);
    await bench.end();
  });

  it("look twice before something is gone from a list of several pages", async () => {
    const next = { link: '<https://api.github.com/x?page=2>; rel="next"' };
    let all = [1, 2, 3];
    let shift = false;
    const bench = new Bench(({ url }) => {
      if (!url.includes("page=2")) return { ...pulls(...all.slice(0, 2)), headers: next };
      // The first went between the two pages, so that the third moved up to the page that was read already.
      const last = shift ? [] : all.slice(2);
      shift = false;
      return pulls(...last);
    });
    bench.listings.watch(pullRequests());
    await bench.clock.advance(1000);
    shift = true;
    await bench.clock.advance(61_000);
    assert.deepEqual(numbersOf(bench.listings.current(pullRequests())?.listing)?.sort(), ["1", "2", "3"]);
    all = [1, 2];
    await bench.clock.advance(61_000);
    assert.deepEqual(numbersOf(bench.listings.current(pullRequests())?.listing), ["1", "2"]);
    await bench.end();
  });

  it("give a secret to sets of its namespace only, and to servers that its rule names", async () => {
    const secrets = [
      { name: "gh", keys: { token: { env: "t0ken" } } },
      { name: "ghe", keys: { token: { env: "t0ken" } }, servers: ["https://ghe.example.com/api"] },
    ];
    const bench = new Bench(() => pulls(1), { secrets });
    const ref = (secretName: string, key = "token") => ({ tokenRef: { secretName, key } });
    const ghe = { api: "https://ghe.example.com" };
    const codes = [
      [pullRequests(ref("gh")), undefined],
      [pullRequests({ ...ref("gh"), ...ghe }), "not-allowed"],
      [pullRequests({ ...ref("ghe"), ...ghe }), undefined],
      [pullRequests({ ...ref("ghe"), api: "https://ghe.example.com.evil.com" }), "not-allowed"],
      [{ ...pullRequests(ref("gh")), namespace: "team" }, "bad-config"],
      [pullRequests(ref("gh", "other")), "bad-config"],
      [pullRequests(ref("none")), "bad-config"],
    ] as const;
    for (const [query, code] of codes) {
      bench.listings.watch(query);
      await bench.clock.advance(100);
      const fault = bench.listings.current(query)?.fault;
      assert.equal(fault?.code, code, JSON.stringify(query.spec));
      assert.doesNotMatch(fault?.message ?? "", /t0ken/);
    }
    assert.equal(bench.sent.filter(({ headers }) => headers["authorization"] !== "Bearer t0ken").length, 0);
    await bench.end();
  });

  it("ask only APIs that the hub lets sets name, and none where they are switched off", async () => {
    const bench = new Bench(() => pulls(1), { allowedScmProviders: ["https://ghe.example.com"] });
    const other = pullRequests({ api: "https://10.0.0.1" });
    for (const query of [other, pullRequests({ api: "https://ghe.example.com" }), pullRequests()])
      bench.listings.watch(query);
    await bench.clock.advance(100);
    assert.equal(bench.listings.current(other)?.fault?.code, "not-allowed");
    assert.deepEqual(bench.sent.map(({ url }) => new URL(url).host).sort(), ["api.github.com", "ghe.example.com"]);
    await bench.end();
    const off = new Bench(() => pulls(1), { scmProviders: false });
    off.listings.watch(pullRequests());
    await off.clock.advance(100);
    assert.equal(off.listings.current(pullRequests())?.fault?.code, "not-allowed");
    await off.end();
  });

  it("are asked anew soon after their repository told of a change", async () => {
    const bench = new Bench(() => pulls(1));
    bench.listings.watch(pullRequests({}, 1800));
    bench.listings.watch(pullRequests({ repo: "other" }, 1800));
    bench.listings.watch(pullRequests({ owner: "else", repo: "where" }, 1800));
    await bench.clock.advance(1000);
    for (let count = 0; count < 20; count += 1) bench.listings.hint("https://github.com/Acme/shop.git");
    await bench.clock.advance(5000);
    assert.deepEqual(
      bench.sent.slice(3).map(({ url }) => new URL(url).pathname),
      ["/repos/acme/shop/pulls", "/repos/acme/other/pulls"],
    );
    await bench.end();
  });

  it("end after a thousand pages", async () => {
    const next = { link: '<https://api.github.com/x?page=2>; rel="next"' };
    const bench = new Bench(() => ({ ...pulls(1), headers: next }));
    bench.listings.watch(pullRequests());
    await bench.clock.advance(1000);
    assert.equal(bench.listings.current(pullRequests())?.fault?.code, "too-large");
    await bench.end();
  });
});

describe("rate limits", () => {
  const now = Date.UTC(2026, 0, 1);
  const reset = String(now / 1000 + 120);
  for (const [what, status, headers, wait] of [
    ["GitHub's primary limit", 403, { "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset }, 120_000],
    ["GitHub's secondary limit", 403, { "retry-after": "30" }, 30_000],
    ["GitLab", 429, { "ratelimit-remaining": "0", "ratelimit-reset": reset }, 120_000],
    ["a date", 429, { "retry-after": new Date(now + 45_000).toUTCString() }, 45_000],
    ["Azure DevOps", 503, { "retry-after": "5" }, 5000],
    ["nothing said", 429, {}, 60_000],
    ["a year", 429, { "retry-after": "31536000" }, 3_600_000],
    ["a moment that is over", 429, { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1" }, 1000],
    ["a right that lacks", 403, { "x-ratelimit-remaining": "4999" }, undefined],
    ["a server that is down", 503, {}, undefined],
    ["all well", 200, { "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset }, undefined],
  ] as const) {
    it(`of ${what}`, () => {
      const until = limitedUntil({ status, headers, body: "" }, now);
      assert.equal(until === undefined ? undefined : until - now, wait);
    });
  }
});

it("what two listings both lack has gone", () => {
  const listing = (...numbers: string[]) =>
    ({ kind: "pullRequests", items: numbers.map((number) => ({ number })) }) as unknown as Listing;
  assert.equal(lacks(listing("1", "3"), listing("1", "2")), true);
  assert.equal(lacks(listing("2", "1"), listing("1", "2")), false);
  assert.deepEqual(numbersOf(confirmed(listing("1", "2"), listing("2", "3"))), ["2", "3", "1"]);
});
