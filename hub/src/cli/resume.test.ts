import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault } from "@capstan/proto";
import { FakeClock } from "@capstan/proto/testing";
import { Call } from "./call.ts";
import { resumed } from "./resume.ts";
import { fakePorts } from "./testing/ports.ts";

const gone = () => new Fault("hub-unreachable", { message: "gone." });

function world() {
  const clock = new FakeClock();
  const stop = new AbortController();
  const call = new Call({ ...fakePorts({}).ports, clock }, [], {}, stop.signal);
  return { clock, stop, call };
}

async function collect(events: AsyncIterable<{ token: string }>, into: string[]): Promise<void> {
  for await (const { token } of events) into.push(token);
}

describe("a watch that goes on", () => {
  it("is opened again from its last token when the hub goes away, and ends by Ctrl-C", async () => {
    const { clock, stop, call } = world();
    const asked: string[] = [];
    const seen: string[] = [];
    const done = collect(
      resumed(call, async function* (token) {
        asked.push(token);
        yield { token: `${token}+` };
        if (asked.length === 1) throw gone();
      }),
      seen,
    );
    await clock.advance(1500);
    stop.abort();
    await done;
    assert.deepEqual(asked, ["", "+"]);
    assert.deepEqual(seen, ["+", "++"]);
  });

  it("gives up after two minutes without an answer, and at once for any other fault", async () => {
    const { clock, call } = world();
    const silent = collect(
      resumed(call, () => fails(gone())),
      [],
    );
    const ended = assert.rejects(silent, { code: "hub-unreachable" });
    await clock.advance(125_000);
    await ended;
    const refused = new Fault("not-allowed", { message: "no." });
    await assert.rejects(
      collect(
        resumed(call, () => fails(refused)),
        [],
      ),
      { code: "not-allowed" },
    );
  });
});

async function* fails(fault: Fault): AsyncIterable<{ token: string }> {
  yield* [];
  throw fault;
}
