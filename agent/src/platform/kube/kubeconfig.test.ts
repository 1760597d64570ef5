import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { inClusterAccess } from "./access.ts";
import { kubeconfigAccess, parseKubeconfig } from "./kubeconfig.ts";

const yaml = `
apiVersion: v1
kind: Config
current-context: one
contexts:
- name: one
  context: {cluster: c, user: u, namespace: team}
- name: two
  context: {cluster: c, user: helper}
clusters:
- name: c
  cluster:
    server: https://example.com:6443
    certificate-authority-data: ${btoa("the ca")}
users:
- name: u
  user: {token: abc}
- name: helper
  user:
    exec: {command: aws}
`;

test("reads YAML and JSON, current or named context", async () => {
  const access = await parseKubeconfig(yaml, "/x/config");
  assert.equal(access.server, "https://example.com:6443");
  assert.equal(access.ca, "the ca");
  assert.equal(access.namespace, "team");
  assert.equal(await access.token(), "abc");
  const json = {
    "current-context": "a",
    contexts: [{ name: "a", context: { cluster: "c", user: "u" } }],
    clusters: [{ name: "c", cluster: { server: "http://x", "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user: {} }],
  };
  const plain = await parseKubeconfig(JSON.stringify(json), "/x/config");
  assert.equal(plain.insecure, true);
  assert.equal(await plain.token(), undefined);
});

test("names what is wrong with a kubeconfig", async () => {
  await assert.rejects(parseKubeconfig(yaml, "/x/config", "none"), {
    code: "bad-config",
    message: /no entry named "none"/,
  });
  await assert.rejects(parseKubeconfig(yaml, "/x/config", "two"), { code: "bad-config", message: /helper program/ });
  await assert.rejects(parseKubeconfig("a: [", "/x/config"), { code: "bad-config", message: /neither YAML nor JSON/ });
  await assert.rejects(kubeconfigAccess("/nowhere/config"), { code: "bad-config", message: /cannot be read/ });
});

test("finds a pod's own account, and nothing outside a cluster", async () => {
  assert.equal(await inClusterAccess({}), undefined);
  const folder = await mkdtemp(join(tmpdir(), "capstan-account-"));
  try {
    await Promise.all([
      writeFile(join(folder, "ca.crt"), "ca"),
      writeFile(join(folder, "namespace"), "capstan-system\n"),
      writeFile(join(folder, "token"), "t1\n"),
    ]);
    const access = await inClusterAccess(
      { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" },
      folder,
    );
    assert.equal(access?.server, "https://[fd00::1]:443");
    assert.equal(access.namespace, "capstan-system");
    assert.equal(await access.token(), "t1");
  } finally {
    await rm(folder, { recursive: true });
  }
});
