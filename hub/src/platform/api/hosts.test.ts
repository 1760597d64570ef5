import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Fault, systemClock } from "@capstan/proto";
import type { JsonObject } from "../../documents/model.ts";
import { generatorsFragment } from "../../listings/config.ts";
import type { ListingQuery, ListingState } from "../../listings/model.ts";
import { ListingsReconciler } from "../../listings/reconciler.ts";
import { HttpExchange } from "../http/exchange.ts";
import { HttpApiClient } from "./client.ts";
import { appSigner } from "./github-app.ts";
import { ApiServer, type Heard, type Said } from "./testing.ts";

const apiClient = new HttpApiClient(new HttpExchange({ environment: {}, servers: [] }));
const tokenRef = { secretName: "scm", key: "token" };

/** Asks one query of a real server, as the hub does. */
async function ask(server: ApiServer, query: Pick<ListingQuery, "kind"> & { spec: JsonObject }): Promise<ListingState> {
  const config = generatorsFragment.parse({
    secrets: [{ name: "scm", keys: { token: { env: "s3cret" } }, servers: [server.url] }],
    timeoutSeconds: 5,
  });
  const listings = new ListingsReconciler({
    client: apiClient,
    secrets: { read: async (reference) => ("env" in reference ? reference.env : "") },
    signer: appSigner,
    config,
    configMaps: () => ({ baseUrl: server.url, token: "$scm:token", requestTimeout: "7" }),
    clock: systemClock,
    chance: () => 0,
  });
  const stop = new AbortController();
  const running = listings.start(stop.signal);
  const whole = { namespace: "argocd", everySeconds: 1800, set: "team", ...query } as ListingQuery;
  listings.watch(whole);
  await listings.settle(whole, AbortSignal.timeout(60_000));
  stop.abort();
  await running;
  return listings.current(whole) ?? assert.fail("no state");
}

async function itemsOf(server: ApiServer, query: Parameters<typeof ask>[1]): Promise<readonly JsonObject[]> {
  const { listing, fault } = await ask(server, query);
  assert.equal(fault, undefined, fault?.message);
  return (listing?.items ?? []) as unknown as readonly JsonObject[];
}

async function faultOf(server: ApiServer, query: Parameters<typeof ask>[1]): Promise<Fault> {
  const { listing, fault } = await ask(server, query);
  assert.equal(listing, undefined);
  return fault ?? assert.fail("a fault was expected");
}

/** Pages of a list: which items, and whether more come. */
function slice<T>(items: readonly T[], page: number, size: number): { readonly items: T[]; readonly more: boolean } {
  return { items: items.slice((page - 1) * size, page * size), more: page * size < items.length };
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

const sha = "0123456789abcdef0123456789abcdef01234567";
const common = { title: "Add it", branch: "feat/it", targetBranch: "main", headSha: sha };

function github(heard: Heard): Said {
  if (heard.headers.authorization !== "Bearer s3cret") return { status: 401, json: { message: "Bad credentials" } };
  const page = Number(heard.query.get("page") ?? "1");
  const link = (path: string, more: boolean) =>
    more ? { link: `<https://ghe.internal${path}?per_page=100&page=${page + 1}>; rel="next", <x>; rel="last"` } : {};
  const path = heard.path.replace(/^\/api\/v3/, "");
  if (path === "/repos/acme/shop/pulls") {
    const all = numbers(150).map((number) => ({
      number,
      title: "Add it",
      head: { ref: "feat/it", sha },
      base: { ref: "main" },
      labels: number % 2 === 0 ? [{ name: "preview" }, { name: "x" }] : [],
      user: number === 2 ? null : { login: "mira" },
    }));
    const { items, more } = slice(all, page, 100);
    return { json: items, headers: link(heard.path, more) };
  }
  if (path === "/orgs/acme/repos") {
    const all = numbers(101).map((id) => ({
      id,
      name: `repo-${id}`,
      owner: { login: "acme" },
      default_branch: id === 3 ? "gone" : "main",
      ssh_url: `git@ghe:acme/repo-${id}.git`,
      clone_url: `https://ghe/acme/repo-${id}.git`,
      topics: id === 5 ? ["blue", "five"] : [],
      archived: id === 4,
    }));
    const { items, more } = slice(all, page, 100);
    return { json: items, headers: link(heard.path, more) };
  }
  const branch = /^\/repos\/acme\/repo-(\d+)\/branches\/main$/.exec(path);
  if (branch !== null) return { json: { name: "main", commit: { sha } } };
  if (/^\/repos\/acme\/repo-\d+\/branches$/.test(path)) {
    return { json: ["main", "feat/a b"].map((name) => ({ name, commit: { sha } })) };
  }
  if (path === "/repos/acme/repo-5/contents/deploy/app" && heard.query.get("ref") === "main") return { json: [] };
  return { status: 404, json: { message: "Not Found" } };
}

describe("GitHub", () => {
  const pulls = (server: ApiServer, more: JsonObject = {}) => ({
    kind: "pullRequests" as const,
    spec: { github: { owner: "acme", repo: "shop", api: server.url, tokenRef, ...more } },
  });
  const repositories = (server: ApiServer, more: JsonObject = {}, filters: JsonObject[] = []) => ({
    kind: "repositories" as const,
    spec: { github: { organization: "acme", api: server.url, tokenRef, ...more }, filters },
  });

  it("lists all pages of pull requests, below /api/v3, with labels", async () => {
    await using server = await ApiServer.start(github);
    const all = await itemsOf(server, pulls(server));
    assert.equal(all.length, 150);
    assert.deepEqual(all[0], { ...common, number: "1", labels: [], author: "mira" });
    assert.deepEqual(
      server.heard.map(({ path }) => path),
      Array(2).fill("/api/v3/repos/acme/shop/pulls"),
    );
    const labelled = await itemsOf(server, pulls(server, { labels: ["preview", "x"] }));
    assert.deepEqual([labelled.length, labelled[0]?.["number"], labelled[0]?.["author"]], [75, "2", ""]);
  });

  it("lists repositories with their default branch, all branches, archived ones, either protocol", async () => {
    await using server = await ApiServer.start(github);
    const all = await itemsOf(server, repositories(server));
    // The third has no commit on its default branch.
    assert.equal(all.length, 100);
    assert.deepEqual(all[0], {
      organization: "acme",
      repository: "repo-1",
      repositoryId: 1,
      url: "git@ghe:acme/repo-1.git",
      defaultBranch: "main",
      labels: [],
      branch: "main",
      sha,
    });
    const only = { ...repositories(server, { allBranches: true, excludeArchivedRepos: true }) };
    const filters = [{ repositoryMatch: "^repo-[145]$" }];
    const some = await itemsOf(server, { ...only, spec: { ...only.spec, filters, cloneProtocol: "https" } });
    assert.deepEqual(
      some.map((each) => [each["url"], each["branch"]]),
      ["repo-1", "repo-5"].flatMap((name) => ["main", "feat/a b"].map((b) => [`https://ghe/acme/${name}.git`, b])),
    );
  });

  it("filters by label, path and branch, AND within a filter and OR between them", async () => {
    await using server = await ApiServer.start(github);
    const named = async (filters: JsonObject[], more: JsonObject = {}) =>
      (await itemsOf(server, repositories(server, more, filters))).map(
        (each) => `${String(each["repository"])} ${String(each["branch"])}`,
      );
    assert.deepEqual(await named([{ labelMatch: "^blu" }]), ["repo-5 main"]);
    assert.deepEqual(await named([{ repositoryMatch: "repo-[56]$", pathsExist: ["deploy/app/"] }]), ["repo-5 main"]);
    assert.deepEqual(await named([{ repositoryMatch: "repo-[56]$", pathsDoNotExist: ["deploy/app"] }]), [
      "repo-6 main",
    ]);
    assert.deepEqual(
      await named([{ repositoryMatch: "repo-1$" }, { repositoryMatch: "repo-5$", labelMatch: "five" }]),
      ["repo-1 main", "repo-5 main"],
    );
    assert.deepEqual(await named([{ repositoryMatch: "repo-5$", branchMatch: "^feat/" }], { allBranches: true }), [
      "repo-5 feat/a b",
    ]);
  });

  it("signs in as an app", async () => {
    const { generateKeyPairSync, verify } = await import("node:crypto");
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    await using server = await ApiServer.start((heard) => {
      if (!heard.path.endsWith("/access_tokens")) return github(heard);
      const [head = "", body = "", signature = ""] = (heard.headers.authorization ?? "").slice(7).split(".");
      const good = verify("sha256", Buffer.from(`${head}.${body}`), publicKey, Buffer.from(signature, "base64url"));
      const { iss } = JSON.parse(Buffer.from(body, "base64url").toString()) as { iss: string };
      return good && iss === "12" && heard.path === "/api/v3/app/installations/34/access_tokens"
        ? { status: 201, json: { token: "s3cret" } }
        : { status: 401 };
    });
    const keys = {
      githubAppID: { env: "12" },
      githubAppInstallationID: { env: "34" },
      githubAppPrivateKey: { env: privateKey.export({ type: "pkcs8", format: "pem" }).toString() },
    };
    const listings = new ListingsReconciler({
      client: apiClient,
      secrets: { read: async (reference) => ("env" in reference ? reference.env : "") },
      signer: appSigner,
      config: generatorsFragment.parse({ secrets: [{ name: "app", keys, servers: [server.url] }] }),
      configMaps: () => undefined,
      clock: systemClock,
      chance: () => 0,
    });
    const stop = new AbortController();
    const running = listings.start(stop.signal);
    const spec = { github: { owner: "acme", repo: "shop", api: server.url, appSecretName: "app" } };
    const query: ListingQuery = { kind: "pullRequests", namespace: "argocd", everySeconds: 1800, spec };
    listings.watch(query);
    await listings.settle(query, AbortSignal.timeout(60_000));
    stop.abort();
    await running;
    assert.equal(listings.current(query)?.listing?.items.length, 150, listings.current(query)?.fault?.message);
  });

  it("tells what is wrong: credential, repository, answer", async () => {
    await using server = await ApiServer.start(github);
    const noToken = {
      kind: "pullRequests" as const,
      spec: { github: { owner: "acme", repo: "shop", api: server.url } },
    };
    assert.equal((await faultOf(server, noToken)).code, "api-auth");
    assert.equal((await faultOf(server, pulls(server, { repo: "none" }))).code, "repository-not-found");
    for (const text of ["<html>sign in</html>", '{"message": "no list"}', '[{"number": "one"}]']) {
      await using odd = await ApiServer.start(() => ({ text }));
      const fault = await faultOf(odd, pulls(odd));
      assert.equal(fault.code, "api-answer", text);
      assert.match(fault.message, /127\.0\.0\.1/);
    }
  });
});

describe("GitLab", () => {
  function gitlab(heard: Heard): Said {
    if (heard.headers["private-token"] !== "s3cret") return { status: 401 };
    const page = Number(heard.query.get("page") ?? "1");
    const paged = (all: readonly unknown[], size: number): Said => {
      const { items, more } = slice(all, page, size);
      return { json: items, headers: { "x-next-page": more ? String(page + 1) : "" } };
    };
    if (heard.path === "/api/v4/projects/acme%2Fshop/merge_requests") {
      const all = numbers(3).map((iid) => ({
        iid,
        title: "Add it",
        source_branch: "feat/it",
        target_branch: "main",
        sha,
        labels: ["a"],
        author: { username: "mira" },
      }));
      return paged(
        heard.query.get("state") === "opened" && heard.query.get("labels") === "a,b" ? all.slice(1) : all,
        2,
      );
    }
    if (heard.path === "/api/v4/groups/acme%2Fteam/projects") {
      const wide = heard.query.get("include_subgroups") === "true" && heard.query.get("with_shared") === "false";
      return paged(
        numbers(wide ? 3 : 1).map((id) => ({
          id,
          path: `p${id}`,
          namespace: { full_path: "acme/team" },
          default_branch: id === 2 ? null : "main",
          ssh_url_to_repo: `git@gl:acme/team/p${id}.git`,
          http_url_to_repo: `https://gl/acme/team/p${id}.git`,
          topics: id === 1 ? ["t"] : [],
          tag_list: ["old"],
        })),
        2,
      );
    }
    if (/\/projects\/\d\/repository\/branches\/main$/.test(heard.path))
      return { json: { name: "main", commit: { id: sha } } };
    if (heard.path === "/api/v4/projects/3/repository/tree" && heard.query.get("path") === "deploy") {
      return paged([{ path: "deploy/x" }, { path: "deploy/y" }, { path: "deploy/app" }], 2);
    }
    return { status: 404, json: { message: "404 Not Found" } };
  }

  it("lists merge requests of a project by path, state and labels", async () => {
    await using server = await ApiServer.start(gitlab);
    const asked = { project: "acme/shop", api: `${server.url}/`, tokenRef };
    const all = await itemsOf(server, { kind: "pullRequests", spec: { gitlab: asked } });
    assert.deepEqual(
      all.map((each) => each["number"]),
      ["1", "2", "3"],
    );
    assert.deepEqual(all[0], { ...common, number: "1", labels: ["a"], author: "mira" });
    const spec = { gitlab: { ...asked, pullRequestState: "opened", labels: ["a", "b"] } };
    assert.equal((await itemsOf(server, { kind: "pullRequests", spec })).length, 2);
  });

  it("lists projects of a group and looks for paths page by page", async () => {
    await using server = await ApiServer.start(gitlab);
    const asked = {
      group: "acme/team",
      api: server.url,
      tokenRef,
      includeSubgroups: true,
      includeSharedProjects: false,
    };
    const all = await itemsOf(server, { kind: "repositories", spec: { gitlab: asked } });
    assert.deepEqual(
      all.map((each) => [each["organization"], each["repository"], each["labels"], each["repositoryId"]]),
      [
        ["acme/team", "p1", ["t"], 1],
        ["acme/team", "p3", ["old"], 3],
      ],
    );
    const filters = [{ pathsExist: ["deploy/app"] }];
    const some = await itemsOf(server, { kind: "repositories", spec: { gitlab: asked, filters } });
    assert.deepEqual(
      some.map((each) => each["repository"]),
      ["p3"],
    );
  });
});

describe("Gitea", () => {
  function gitea(heard: Heard): Said {
    if (heard.headers.authorization !== "token s3cret") return { status: 401 };
    const page = Number(heard.query.get("page") ?? "1");
    const paged = (all: readonly unknown[], size: number): Said => ({
      json: slice(all, page, size).items,
      headers: { "x-total-count": String(all.length) },
    });
    const [, , , ...rest] = heard.path.split("/");
    const path = rest.join("/");
    if (path === "repos/acme/shop/pulls" && heard.query.get("state") === "open") {
      // A server may give fewer a page than it is asked for.
      return paged(
        numbers(45).map((number) => ({
          number,
          title: "Add it",
          head: { ref: "feat/it", sha },
          base: { ref: "main" },
          labels: number === 7 ? [{ name: "preview" }] : null,
          user: { login: "mira" },
        })),
        30,
      );
    }
    if (path === "orgs/acme/repos") {
      return paged(
        numbers(2).map((id) => ({
          id,
          name: `r${id}`,
          default_branch: "main",
          ssh_url: `git@gt:acme/r${id}.git`,
          html_url: `https://gt/acme/r${id}`,
          archived: id === 2,
        })),
        30,
      );
    }
    if (/^repos\/acme\/r\d\/labels$/.test(path)) return paged([{ name: "bug" }, { name: "preview" }], 30);
    if (/^repos\/acme\/r\d\/branches\/main$/.test(path)) return { json: { name: "main", commit: { id: sha } } };
    if (path === "repos/acme/r1/branches")
      return paged(
        numbers(40).map((n) => ({ name: `b${n}`, commit: { id: sha } })),
        30,
      );
    return { status: 404 };
  }

  it("lists pull requests and repositories however small the pages are", async () => {
    await using server = await ApiServer.start(gitea);
    const asked = { owner: "acme", repo: "shop", api: server.url, tokenRef };
    assert.equal((await itemsOf(server, { kind: "pullRequests", spec: { gitea: asked } })).length, 45);
    const labelled = await itemsOf(server, {
      kind: "pullRequests",
      spec: { gitea: { ...asked, labels: ["preview"] } },
    });
    assert.deepEqual(labelled, [{ ...common, number: "7", labels: ["preview"], author: "mira" }]);
    const owner = { owner: "acme", api: server.url, tokenRef };
    const all = await itemsOf(server, { kind: "repositories", spec: { gitea: owner, cloneProtocol: "https" } });
    assert.deepEqual(
      all.map((each) => [each["url"], each["labels"], each["branch"]]),
      [1, 2].map((id) => [`https://gt/acme/r${id}`, ["bug", "preview"], "main"]),
    );
    const spec = { gitea: { ...owner, allBranches: true, excludeArchivedRepos: true } };
    assert.equal((await itemsOf(server, { kind: "repositories", spec })).length, 40);
  });
});

describe("Bitbucket", () => {
  function cloud(heard: Heard): Said {
    const basic = `Basic ${Buffer.from("mira:s3cret").toString("base64")}`;
    if (heard.headers.authorization !== basic && heard.headers.authorization !== "Bearer s3cret")
      return { status: 401 };
    const page = Number(heard.query.get("page") ?? "1");
    const paged = (all: readonly unknown[]): Said => {
      const { items, more } = slice(all, page, 2);
      const next = `http://${heard.headers.host}${heard.path}?page=${page + 1}`;
      return { json: { values: items, pagelen: 2, ...(more ? { next } : {}) } };
    };
    if (heard.path === "/2.0/repositories/acme/shop/pullrequests") {
      return paged(
        numbers(3).map((id) => ({
          id,
          title: "Add it",
          source: { branch: { name: "feat/it" }, commit: { hash: sha } },
          destination: { branch: { name: "main" } },
          author: { nickname: "mira" },
        })),
      );
    }
    if (heard.path === "/2.0/repositories/acme") {
      return paged(
        numbers(3).map((id) => ({
          slug: `r${id}`,
          uuid: `{${id}}`,
          mainbranch: id === 2 ? null : { name: "main" },
          links: {
            clone: [
              { name: "https", href: `https://bb/r${id}` },
              { name: "ssh", href: `git@bb:r${id}` },
            ],
          },
        })),
      );
    }
    if (heard.path.endsWith("/refs/branches/main")) return { json: { name: "main", target: { hash: sha } } };
    if (heard.path === `/2.0/repositories/acme/r3/src/${sha}/deploy`) return { json: {} };
    return { status: 404 };
  }

  it("Cloud: follows next, signs in either way", async () => {
    await using server = await ApiServer.start(cloud);
    const pull = { owner: "acme", repo: "shop", api: `${server.url}/2.0` };
    for (const signIn of [{ basicAuth: { username: "mira", passwordRef: tokenRef } }, { bearerToken: { tokenRef } }]) {
      const all = await itemsOf(server, { kind: "pullRequests", spec: { bitbucket: { ...pull, ...signIn } } });
      assert.deepEqual(all[2], { ...common, number: "3", labels: [], author: "mira" });
    }
    const owner = { owner: "acme", user: "mira", appPasswordRef: tokenRef, api: `${server.url}/2.0` };
    const all = await itemsOf(server, { kind: "repositories", spec: { bitbucket: owner } });
    assert.deepEqual(
      all.map((each) => [each["url"], each["repositoryId"]]),
      [
        ["git@bb:r1", "{1}"],
        ["git@bb:r3", "{3}"],
      ],
    );
    const filters = [{ pathsExist: ["deploy"] }];
    assert.equal((await itemsOf(server, { kind: "repositories", spec: { bitbucket: owner, filters } })).length, 1);
  });

  it("Cloud: does not carry its credential to a next page elsewhere", async () => {
    await using other = await ApiServer.start(cloud);
    await using server = await ApiServer.start(() => ({ json: { values: [], next: `${other.url}/2.0/more` } }));
    const spec = { bitbucket: { owner: "acme", repo: "shop", api: server.url, bearerToken: { tokenRef } } };
    assert.equal((await faultOf(server, { kind: "pullRequests", spec })).code, "api-answer");
    assert.equal(other.heard.length, 0);
  });

  function onPremises(heard: Heard): Said {
    const start = Number(heard.query.get("start") ?? "0");
    const paged = (all: readonly unknown[]): Said => {
      const values = all.slice(start, start + 2);
      const isLastPage = start + 2 >= all.length;
      return { json: { values, isLastPage, nextPageStart: isLastPage ? null : start + 2 } };
    };
    const path = heard.path.replace("/rest/api/1.0/projects/ACME/repos", "");
    if (path === "/shop/pull-requests") {
      return paged(
        numbers(3).map((id) => ({
          id,
          title: "Add it",
          fromRef: { id: "refs/heads/feat/it", displayId: "feat/it", latestCommit: sha },
          toRef: { displayId: "main", latestCommit: sha },
          author: { user: { name: "mira" } },
        })),
      );
    }
    if (path === "") {
      return paged(
        numbers(3).map((id) => ({
          id,
          slug: `r${id}`,
          name: `R ${id}`,
          project: { key: "ACME" },
          links: {
            clone: [
              { name: "http", href: `https://bs/r${id}` },
              { name: "ssh", href: `ssh://bs/r${id}` },
            ],
          },
        })),
      );
    }
    if (path === "/r2/branches/default") return { status: 204, text: "" };
    if (/^\/r\d\/branches\/default$/.test(path)) return { json: { displayId: "main", latestCommit: sha } };
    if (/^\/r\d\/branches$/.test(path))
      return paged(["main", "a", "b"].map((name) => ({ displayId: name, latestCommit: sha })));
    if (path === "/r3/browse/deploy/app" && heard.query.get("at") === "main") return { json: { type: "DIRECTORY" } };
    return { status: 404 };
  }

  it("Server: pages by start, skips a repository without default branch, looks for paths", async () => {
    await using server = await ApiServer.start(onPremises);
    const pull = { project: "ACME", repo: "shop", api: `${server.url}/rest` };
    const all = await itemsOf(server, { kind: "pullRequests", spec: { bitbucketServer: pull } });
    assert.deepEqual(all[2], { ...common, number: "3", labels: [], author: "mira" });
    const project = { project: "ACME", api: server.url, basicAuth: { username: "mira", passwordRef: tokenRef } };
    const found = await itemsOf(server, { kind: "repositories", spec: { bitbucketServer: project } });
    assert.deepEqual(
      found.map((each) => [each["url"], each["branch"]]),
      [
        ["ssh://bs/r1", "main"],
        ["ssh://bs/r3", "main"],
      ],
    );
    const spec = { bitbucketServer: { ...project, allBranches: true }, filters: [{ pathsExist: ["deploy/app"] }] };
    assert.deepEqual(
      (await itemsOf(server, { kind: "repositories", spec })).map((each) => each["branch"]),
      ["main"],
    );
  });
});

describe("Azure DevOps", () => {
  function azure(heard: Heard): Said {
    if (heard.headers.authorization !== `Basic ${Buffer.from(":s3cret").toString("base64")}`) return { status: 401 };
    const path = heard.path.replace("/acme/Team%20One/_apis/git/repositories", "");
    if (path === "/shop/pullrequests") {
      const skip = Number(heard.query.get("$skip"));
      const all = numbers(120).map((pullRequestId) => ({
        pullRequestId,
        title: "Add it",
        sourceRefName: "refs/heads/feat/it",
        targetRefName: "refs/heads/main",
        lastMergeSourceCommit: pullRequestId === 1 ? undefined : { commitId: sha },
        labels: pullRequestId === 2 ? [{ name: "preview" }] : undefined,
        createdBy: { uniqueName: "mira@example.com" },
      }));
      return { json: { value: all.slice(skip, skip + 100) } };
    }
    const repository = { id: "u-1", name: "shop", defaultBranch: "refs/heads/main", remoteUrl: "https://az/shop" };
    if (path === "") return { json: { value: [repository, { id: "u-2", name: "empty" }] } };
    const branch = { name: "main", commit: { commitId: sha } };
    if (path === "/u-1/stats/branches")
      return { json: heard.query.get("name") === "main" ? branch : { value: [branch] } };
    if (path === "/u-1/items" && heard.query.get("path") === "deploy") return { json: {} };
    return { status: 404 };
  }

  it("lists pull requests, repositories and paths", async () => {
    await using server = await ApiServer.start(azure);
    const asked = { organization: "acme", project: "Team One", repo: "shop", api: server.url, tokenRef };
    const all = await itemsOf(server, { kind: "pullRequests", spec: { azuredevops: asked } });
    assert.equal(all.length, 119);
    assert.deepEqual(all[0], { ...common, number: "2", labels: ["preview"], author: "mira" });
    const project = { organization: "acme", teamProject: "Team One", api: server.url, accessTokenRef: tokenRef };
    for (const [path, allBranches] of [
      ["deploy", false],
      ["deploy", true],
    ] as const) {
      const spec = { azureDevOps: { ...project, allBranches }, filters: [{ pathsExist: [path] }] };
      const found = await itemsOf(server, { kind: "repositories", spec });
      assert.deepEqual(
        found.map((each) => [each["repository"], each["url"], each["branch"]]),
        [["shop", "https://az/shop", "main"]],
      );
    }
  });
});

describe("a plugin", () => {
  const spec = { configMapRef: { name: "p" }, input: { parameters: { size: 3, deep: { a: ["b"] } } } };

  it("is posted its input with its token, and answers parameters", async () => {
    await using server = await ApiServer.start(() => ({
      json: { output: { parameters: [{ a: { b: 1 } }, { a: "x" }] } },
    }));
    assert.deepEqual(await itemsOf(server, { kind: "plugin", spec }), [{ a: { b: 1 } }, { a: "x" }]);
    const [heard] = server.heard;
    assert.deepEqual([heard?.method, heard?.path], ["POST", "/api/v1/getparams.execute"]);
    assert.equal(heard?.headers.authorization, "Bearer s3cret");
    assert.deepEqual(JSON.parse(heard?.body ?? ""), {
      applicationSetName: "team",
      input: { parameters: { size: 3, deep: { a: ["b"] } } },
    });
  });

  it("that answers no list has not answered", async () => {
    for (const json of [{ output: {} }, { output: { parameters: null } }, {}, []]) {
      await using server = await ApiServer.start(() => ({ json }));
      assert.equal((await faultOf(server, { kind: "plugin", spec })).code, "api-answer");
    }
  });
});
