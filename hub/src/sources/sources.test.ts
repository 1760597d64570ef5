import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Fault, faultText } from "@capstan/proto";
import { seededChance } from "@capstan/proto/testing";
import { webhookCrypto } from "../platform/git/open.ts";
import { scheduleOf, sourcesFragment } from "./config.ts";
import { credentialFor, ruleFor } from "./credentials.ts";
import { normalisePath, resolvePath } from "./path.ts";
import { locationOf, parseRepository, placeOf, sameRepository } from "./repository.ts";
import { candidates, parseRevision } from "./revision.ts";
import { defaultSchedule, nextLookMs } from "./schedule.ts";
import { readPush } from "./webhook.ts";

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (thrown) {
    return Fault.from(thrown).code;
  }
  return "none";
};

suite("repositories", () => {
  test("one repository has one key, whatever way it is written", () => {
    const { key, url } = parseRepository("https://Git.Example.com:443/Team/Fleet.git/");
    assert.equal(key, "https://git.example.com/Team/Fleet");
    assert.equal(url, "https://git.example.com/Team/Fleet.git");
    assert.ok(sameRepository("https://git.example.com/Team/Fleet", "https://git.example.com/Team/Fleet.git"));
    assert.ok(!sameRepository("https://git.example.com/team/fleet", "https://git.example.com/Team/Fleet"));
    assert.ok(!sameRepository("", "nonsense"));
    assert.equal(parseRepository("/srv/my fleet.git").key, "file:///srv/my%20fleet");
  });

  test("over SSH are the same in the long and the short form", () => {
    const forms = [
      "ssh://git@Git.example.com/team/fleet.git",
      "git@git.example.com:team/fleet",
      "ssh://git.example.com:22/team/fleet/",
    ];
    assert.deepEqual(
      [...new Set(forms.map((form) => parseRepository(form).key))],
      ["ssh://git.example.com/team/fleet"],
    );
    assert.equal(parseRepository("git@h:team/x.git").url, "ssh://git@h/team/x.git");
    assert.equal(parseRepository("ssh://deploy@h:2222/x").url, "ssh://deploy@h:2222/x");
    assert.equal(
      codeOf(() => parseRepository("-oProxyCommand=id@h:x")),
      "bad-input",
    );
    assert.equal(
      codeOf(() => parseRepository("ssh://-oProxyCommand=id/x")),
      "bad-input",
    );
  });

  test("are in one place, whether a webhook names them by HTTPS or the hub fetches them by SSH", () => {
    const forms = [
      "https://git.example.com/Team/Fleet",
      "git@git.example.com:Team/Fleet.git",
      "ssh://git@git.example.com:7999/team/fleet",
    ];
    assert.deepEqual([...new Set(forms.map(placeOf))], ["git.example.com/team/fleet"]);
    assert.equal(placeOf("nonsense"), undefined);
  });

  test("of charts and artifacts have a location that is one text", () => {
    const of = (repoURL: string, chart?: string) => parseRepository(locationOf({ repoURL, chart }));
    assert.equal(of("https://charts.example.com/stable/", "web").key, "https://charts.example.com/stable#chart=web");
    assert.equal(of("registry.example.com/team", "web").url, "oci://registry.example.com/team/web");
    assert.equal(of("oci://registry.example.com/team/web").transport, "oci");
    for (const chart of ["../x", "-x", "a b", ""]) {
      if (chart !== "")
        assert.equal(
          codeOf(() => of("https://charts.example.com", chart)),
          "bad-input",
          chart,
        );
    }
    assert.equal(
      codeOf(() => of("oci://u:canary@registry.example.com/x")),
      "bad-input",
    );
  });

  test("a URL with a credential, another scheme or nonsense is refused, and no secret is shown", () => {
    const texts = [
      "https://u:canary@git.example.com/x",
      "ssh://git:canary@h/x",
      "ext::sh -c id",
      "x",
      "",
      "-x",
      "file://host/x",
    ];
    for (const text of texts)
      assert.equal(
        codeOf(() => parseRepository(text)),
        "bad-input",
        text,
      );
    assert.throws(
      () => parseRepository("https://u:canary@git.example.com/x"),
      (fault: Fault) => !/canary/.test(faultText(fault)),
    );
  });
});

suite("revisions", () => {
  test("are HEAD, a SHA, a full ref, or a name to be tried", () => {
    const sha = "a".repeat(40);
    assert.deepEqual(candidates(parseRevision(undefined), []), ["refs/capstan/HEAD"]);
    assert.deepEqual(candidates(parseRevision(sha.toUpperCase()), []), [sha]);
    assert.deepEqual(candidates(parseRevision("refs/tags/v1"), []), ["refs/tags/v1"]);
    assert.deepEqual(candidates(parseRevision("abcdef12"), []), [
      "refs/heads/abcdef12",
      "refs/tags/abcdef12",
      "abcdef12",
    ]);
    assert.deepEqual(candidates(parseRevision("team/x"), []), ["refs/heads/team/x", "refs/tags/team/x"]);
  });

  test("that are ranges name the highest tag that they cover", () => {
    const tags = ["v1.0.0", "1.2.3", "v1.10.0", "2.0.0-rc.1", "1.11.0-beta.1", "latest", "release-1"];
    const of = (text: string) => candidates(parseRevision(text), tags).find((name) => name.startsWith("refs/tags/"));
    assert.equal(of("1.x"), "refs/tags/v1.10.0");
    assert.equal(of("^1.0"), "refs/tags/v1.10.0");
    assert.equal(of("~1.2"), "refs/tags/1.2.3");
    assert.equal(of(">=1.0, <1.3"), "refs/tags/1.2.3");
    assert.equal(of(">= 1.0.0 != 1.10.0"), "refs/tags/1.2.3");
    assert.equal(of("1.0 - 1.2"), "refs/tags/1.2.3");
    assert.equal(of("<1.1 || >1.5"), "refs/tags/v1.10.0");
    assert.equal(of(">=1.11.0-0"), "refs/tags/2.0.0-rc.1");
    assert.equal(of("*"), "refs/tags/v1.10.0");
    assert.equal(of("3.x"), undefined);
    for (const text of ["main", "v1.2.3", "1.2", "release-1.x", "feature/x", "1234567"]) {
      assert.notEqual(parseRevision(text).kind, "range", text);
    }
  });

  test("that could be options or expressions are refused", () => {
    const texts = [
      "--upload-pack=x",
      "a..b",
      "a^{tree}",
      "a~1",
      "a:b",
      "a b",
      "a\nb",
      "@{u}",
      "/a",
      "a/",
      "a.lock",
      "x".repeat(256),
      "a\\b",
    ];
    for (const text of texts)
      assert.equal(
        codeOf(() => parseRevision(text)),
        "bad-input",
        text,
      );
  });
});

suite("paths", () => {
  test("are normalised, and stay inside", () => {
    assert.equal(normalisePath("."), "");
    assert.equal(normalisePath("./a//b/./c/"), "a/b/c");
    assert.equal(normalisePath("a/../b"), "b");
    assert.equal(resolvePath("a/b", "../../c"), "c");
    for (const path of ["..", "a/../..", "/a", "a\\..\\b", "a\0", ".git", "a/.GIT/config"]) {
      assert.equal(
        codeOf(() => normalisePath(path)),
        "path-escapes",
        path,
      );
    }
    assert.equal(
      codeOf(() => resolvePath("a/b", "../../../c")),
      "path-escapes",
    );
  });
});

suite("credentials", () => {
  const rules = [
    { prefix: "https://git.example.com", secret: { env: "ALL" } },
    { prefix: "https://Git.example.com/team/", username: "hub", secret: { env: "TEAM" } },
  ];

  test("the longest prefix of whole parts wins", () => {
    const prefixOf = (url: string) => ruleFor(rules, parseRepository(url))?.secret;
    assert.deepEqual(prefixOf("https://git.example.com/team/x.git"), { env: "TEAM" });
    assert.deepEqual(prefixOf("https://git.example.com/team.git"), { env: "TEAM" });
    assert.deepEqual(prefixOf("https://git.example.com/teams/x"), { env: "ALL" });
    assert.equal(prefixOf("https://git.example.com.evil.example/x"), undefined);
    assert.equal(prefixOf("http://git.example.com/x"), undefined);
  });

  test("a user makes a password, none makes a token", async () => {
    const secrets = { read: (reference: object) => Promise.resolve(JSON.stringify(reference)) };
    const of = (url: string) => credentialFor(rules, parseRepository(url), secrets);
    assert.deepEqual(await of("https://git.example.com/team/x"), {
      kind: "basic",
      username: "hub",
      password: '{"env":"TEAM"}',
    });
    assert.deepEqual(await of("https://git.example.com/x"), { kind: "bearer", token: '{"env":"ALL"}' });
    assert.equal(await of("https://other.example.com/x"), undefined);
  });
});

suite("schedule", () => {
  test("polls with jitter, backs off with full jitter, is bounded", () => {
    const chance = seededChance(1);
    const schedule = scheduleOf(sourcesFragment.parse({ pollSeconds: 100 }));
    for (let draw = 0; draw < 100; draw += 1) {
      const wait = nextLookMs(schedule, 0, chance);
      assert.ok(wait >= 80_000 && wait <= 120_000);
      assert.ok(nextLookMs(defaultSchedule, 1, chance) <= 5000);
      assert.ok(nextLookMs(defaultSchedule, 50, chance) <= 300_000);
      assert.ok(nextLookMs(defaultSchedule, 50, chance) >= 1000);
    }
  });
});

suite("webhooks", () => {
  const secret = "hush";
  const sent = (body: string, extra: Record<string, string> = {}) => {
    const bytes = new TextEncoder().encode(body);
    const signature = `sha256=${webhookCrypto.hmacSha256Hex(secret, bytes)}`;
    return { headers: { "x-github-event": "push", "x-hub-signature-256": signature, ...extra }, body: bytes };
  };
  const push = JSON.stringify({
    ref: "refs/heads/main",
    repository: {
      clone_url: "https://git.example.com/t/f.git",
      html_url: "https://git.example.com/t/f",
      url: "git://no",
    },
  });

  test("a signed push names its repository and ref", () => {
    assert.deepEqual(readPush(sent(push), secret, webhookCrypto), {
      repositoryURLs: ["https://git.example.com/t/f.git", "https://git.example.com/t/f"],
      ref: "refs/heads/main",
    });
    assert.equal(readPush(sent("{}", { "x-github-event": "ping" }), secret, webhookCrypto), undefined);
  });

  test("of every forge is read in its own shape, by its own proof", () => {
    const hmac = (body: string) => webhookCrypto.hmacSha256Hex(secret, new TextEncoder().encode(body));
    const basic = (pair: string) => ({ authorization: `Basic ${btoa(pair)}` });
    const gitlab = JSON.stringify({
      object_kind: "push",
      ref: "refs/heads/main",
      project: {
        web_url: "https://gitlab.example.com/t/f",
        git_http_url: "https://gitlab.example.com/t/f.git",
        git_ssh_url: "git@gitlab.example.com:t/f.git",
      },
    });
    const cloud = JSON.stringify({
      push: { changes: [{ new: { type: "branch", name: "main" } }] },
      repository: { full_name: "t/f", links: { html: { href: "https://bitbucket.org/t/f" } } },
    });
    const server = JSON.stringify({
      eventKey: "repo:refs_changed",
      repository: {
        links: {
          clone: [
            { href: "ssh://git@bb.example.com:7999/t/f.git", name: "ssh" },
            { href: "https://bb.example.com/scm/t/f.git", name: "http" },
          ],
        },
      },
      changes: [{ ref: { id: "refs/heads/main" } }],
    });
    const azure = JSON.stringify({
      eventType: "git.push",
      resource: {
        refUpdates: [{ name: "refs/heads/main" }],
        repository: {
          remoteUrl: "https://dev.azure.com/o/p/_git/f",
          url: "https://dev.azure.com/o/_apis/git/repositories/1",
        },
      },
    });
    const cases: readonly [string, Record<string, string>, string][] = [
      [gitlab, { "x-gitlab-token": secret }, "https://gitlab.example.com/t/f.git"],
      [gitlab, { "x-gitlab-token": secret }, "git@gitlab.example.com:t/f.git"],
      [cloud, { "x-hook-uuid": `{${secret}}`, "x-event-key": "repo:push" }, "https://bitbucket.org/t/f"],
      [cloud, { "x-hub-signature": `sha256=${hmac(cloud)}` }, "https://bitbucket.org/t/f"],
      [server, { "x-hub-signature": `sha256=${hmac(server)}` }, "ssh://git@bb.example.com:7999/t/f.git"],
      [push, { "x-gogs-signature": hmac(push), "x-gogs-event": "push" }, "https://git.example.com/t/f.git"],
      [azure, basic(`capstan:${secret}`), "https://dev.azure.com/o/p/_git/f"],
    ];
    for (const [text, headers, url] of cases) {
      const request = { headers, body: new TextEncoder().encode(text) };
      const hint = readPush(request, secret, webhookCrypto);
      assert.ok(hint?.repositoryURLs.includes(url), `${url} in ${hint?.repositoryURLs.join(" ")}`);
      assert.equal(hint?.ref, "refs/heads/main", url);
      assert.equal(
        codeOf(() => readPush(request, "another", webhookCrypto)),
        "not-signed-in",
      );
    }
    const emptyToken = { headers: { "x-gitlab-token": "" }, body: new TextEncoder().encode(gitlab) };
    assert.equal(
      codeOf(() => readPush(emptyToken, "", webhookCrypto)),
      "not-signed-in",
    );
  });

  test("what is not signed by the secret is refused before it is read", () => {
    const wrong = [
      sent(push, { "x-hub-signature-256": "sha256=00" }),
      { ...sent(push), body: new TextEncoder().encode(`${push} `) },
      { headers: {}, body: new TextEncoder().encode("not JSON") },
    ];
    for (const request of wrong)
      assert.equal(
        codeOf(() => readPush(request, secret, webhookCrypto)),
        "not-signed-in",
      );
    assert.equal(
      codeOf(() => readPush(sent(push), "", webhookCrypto)),
      "not-signed-in",
    );
    const large = { headers: {}, body: new Uint8Array(1024 * 1024 + 1) };
    assert.equal(
      codeOf(() => readPush(large, secret, webhookCrypto)),
      "too-large",
    );
  });

  test("a body that is no push is refused, and crashes nothing", () => {
    for (const body of [
      "",
      "null",
      "[]",
      '{"repository":null}',
      '{"repository":{"clone_url":7}}',
      '{"repository":"x"}',
      "{",
    ]) {
      assert.equal(
        codeOf(() => readPush(sent(body), secret, webhookCrypto)),
        "bad-input",
        body,
      );
    }
  });
});
