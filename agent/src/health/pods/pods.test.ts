import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import type { KubeObject } from "../../inventory/object.ts";
import { makingCause, podCause, wantsEvents } from "./cause.ts";
import { podsLine } from "./fold.ts";
import type { PodEvent } from "./model.ts";

interface Situation {
  readonly name: string;
  readonly wanted: number;
  readonly making?: string;
  readonly pods: readonly {
    readonly times?: number;
    readonly metadata?: object;
    readonly spec?: object;
    readonly status: object;
    readonly events?: readonly PodEvent[];
  }[];
  readonly line: string;
}

const text = readFileSync(new URL("./situations.yaml", import.meta.url), "utf8");
const situations = parse(text) as readonly Situation[];
const image = "registry.example/shop/web:2.1";
const now = 600_000;

function podsOf({ pods }: Situation): { readonly pod: KubeObject; readonly events: readonly PodEvent[] }[] {
  return pods.flatMap(({ times = 1, metadata, spec, status, events = [] }) =>
    Array.from({ length: times }, (_, n) => ({
      pod: {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: `web-${n}`, namespace: "shop", ...metadata },
        spec: { restartPolicy: "Always", containers: [{ name: "app", image }], ...spec },
        status,
      },
      events,
    })),
  );
}

for (const situation of situations) {
  test(`pods: ${situation.name}`, () => {
    const pods = podsOf(situation);
    const causes = pods.map(({ pod, events }) => podCause({ pod, events, now }));
    const making = situation.making === undefined ? undefined : makingCause(situation.making);
    const line = podsLine({ wanted: situation.wanted, causes, more: false, making });
    assert.equal(line, situation.line);
    assert.doesNotMatch(line, /hunter2/);
    // Where only events tell, they are asked for.
    for (const { pod, events } of pods) {
      const needed =
        events.length > 0 && podCause({ pod, events: [], now })?.one !== podCause({ pod, events, now })?.one;
      if (needed) assert.ok(wantsEvents(pod), JSON.stringify(pod.metadata));
    }
  });
}

test("pods: there are at least twenty situations", () => assert.ok(situations.length >= 20));

test("pods: of very many only the first are told", () => {
  const cause = makingCause(
    'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1',
  );
  const line = podsLine({
    wanted: 500,
    causes: Array.from({ length: 50 }, () => cause),
    more: true,
    making: undefined,
  });
  assert.match(line, /^50 of the first 50 pods cannot be made/);
});
