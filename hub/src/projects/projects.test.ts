import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppProject, AppProjectSpec } from "../documents/model.ts";
import { defaultServiceAccount } from "./account.ts";
import { admit, permitsDestination, permitsSource } from "./admit.ts";
import { permitsObject } from "./permits.ts";
import { normalizeRepository } from "./repository.ts";

const project = (spec: AppProjectSpec): AppProject => ({
  metadata: { name: "team", namespace: "argocd", labels: {}, annotations: {}, finalizers: [] },
  spec,
});
const edge = { name: "edge-1", server: "https://edge-1.example.org" };
const ref = (kind: string, group = "", name = "x") => ({ group, kind, namespace: "", name });

test("repositories are compared in one form", () => {
  assert.equal(
    normalizeRepository("git@Git.example.org:team/app.git"),
    "git.example.org/team/app".replace("git.", "git@git."),
  );
  assert.equal(
    normalizeRepository("ssh://git@git.example.org/team/app"),
    normalizeRepository("git@git.example.org:team/app.git"),
  );
  assert.equal(normalizeRepository("https://git.example.org/A.git"), "https://git.example.org/a");
});

test("source repositories: globs stay in a segment, a deny wins", () => {
  const permits = (sourceRepos: string[], url: string) => permitsSource({ sourceRepos }, url);
  assert(permits(["*"], "https://a/b/c"));
  assert(permits(["https://git.example.org/team/*"], "https://git.example.org/team/app.git"));
  assert(!permits(["https://git.example.org/*"], "https://git.example.org/team/app"));
  assert(permits(["https://git.example.org/**"], "https://git.example.org/team/app"));
  assert(!permits(["*", "!https://git.example.org/secret"], "https://git.example.org/secret.git"));
  assert(permits(["https://git.example.org/{a,b}"], "https://git.example.org/b"));
  assert(!permits([], "https://a"));
});

test("destinations: by name or server, a deny wins", () => {
  const permits = (destinations: AppProjectSpec["destinations"], namespace: string, spec: AppProjectSpec = {}) =>
    permitsDestination(project({ ...spec, ...(destinations === undefined ? {} : { destinations }) }), edge, namespace);
  assert(permits([{ server: "*", namespace: "web-*" }], "web-1"));
  assert(permits([{ name: "edge-*", namespace: "*" }], "x"));
  assert(!permits([{ server: "*", namespace: "web-*" }], "kube-system"));
  assert(
    !permits(
      [
        { server: "*", namespace: "*" },
        { server: "*", namespace: "!kube-system" },
      ],
      "kube-system",
    ),
  );
  assert(
    !permits(
      [
        { name: "*", namespace: "*" },
        { name: "*", namespace: "!kube-system" },
      ],
      "kube-system",
    ),
  );
  assert(
    !permits(
      [
        { server: "*", namespace: "*" },
        { server: "!https://edge-1*", namespace: "*" },
      ],
      "x",
    ),
  );
  assert(
    !permits(
      [
        { server: "*", namespace: "*" },
        { name: "!edge-1", namespace: "*" },
      ],
      "x",
    ),
  );
  assert(!permits(undefined, "x"));
  assert(!permits([{ server: "*", namespace: "*" }], "x", { permitOnlyProjectScopedClusters: true }));
});

test("all reasons are given at once", () => {
  const spec = {
    project: "team",
    destination: { namespace: "b" },
    sources: [{ repoURL: "https://a" }, { repoURL: "https://b" }],
  };
  const request = { spec, destination: edge, sourceNamespace: "other", homeNamespace: "argocd" };
  const refusals = admit(project({ sourceRepos: ["https://a"] }), request);
  assert.deepEqual(
    refusals.map(({ rule }) => rule),
    ["source", "destination", "source-namespace"],
  );
  const open = project({
    sourceRepos: ["*"],
    destinations: [{ server: "*", namespace: "*" }],
    sourceNamespaces: ["oth*"],
  });
  assert.deepEqual(admit(open, request), []);
});

test("kinds: cluster-scoped ones must be listed, namespaced ones may be", () => {
  assert(!permitsObject({}, ref("Namespace"), false));
  assert(
    permitsObject(
      { clusterResourceWhitelist: [{ group: "*", kind: "*" }] },
      ref("ClusterRole", "rbac.authorization.k8s.io"),
      false,
    ),
  );
  assert(
    permitsObject(
      { clusterResourceWhitelist: [{ group: "", kind: "Namespace", name: "web-*" }] },
      ref("Namespace", "", "web-1"),
      false,
    ),
  );
  assert(
    !permitsObject(
      { clusterResourceWhitelist: [{ group: "", kind: "Namespace", name: "web-*" }] },
      ref("Namespace", "", "api"),
      false,
    ),
  );
  assert(permitsObject({}, ref("Secret"), true));
  assert(!permitsObject({ namespaceResourceWhitelist: [] }, ref("Secret"), true));
  assert(!permitsObject({ namespaceResourceBlacklist: [{ group: "", kind: "Secret" }] }, ref("Secret"), true));
  assert(
    !permitsObject(
      {
        clusterResourceWhitelist: [{ group: "*", kind: "*" }],
        clusterResourceBlacklist: [{ group: "apps", kind: "D*" }],
      },
      ref("Deployment", "apps"),
      false,
    ),
  );
});

test("the first entry that fits gives the service account", () => {
  const spec: AppProjectSpec = {
    destinationServiceAccounts: [
      { server: "https://other", namespace: "*", defaultServiceAccount: "no" },
      { server: "*", namespace: "web", defaultServiceAccount: "deployer" },
      { server: "*", namespace: "*", defaultServiceAccount: "ops:admin" },
    ],
  };
  const at = (namespace: string) =>
    defaultServiceAccount(spec, { server: edge.server, namespace, applicationNamespace: "argocd" });
  assert.deepEqual(at("web"), { namespace: "web", name: "deployer" });
  assert.deepEqual(at("other"), { namespace: "ops", name: "admin" });
  assert.equal(defaultServiceAccount({}, { server: "x", namespace: "", applicationNamespace: "argocd" }), undefined);
  const bad = { destinationServiceAccounts: [{ server: "*", namespace: "*", defaultServiceAccount: "a/b" }] };
  assert.throws(
    () => defaultServiceAccount(bad, { server: "x", namespace: "y", applicationNamespace: "argocd" }),
    /NAME or NAMESPACE:NAME/,
  );
});
