import { Fault } from "@capstan/proto";
import { GetFleetStatusResponseSchema } from "@capstan/proto/fleet";
import { type Answer, dataOf, parseOutput, printed } from "./answer.ts";
import type { Call } from "./call.ts";
import { exit, exitOf, faultLines } from "./exit.ts";
import { statusScreen } from "./screens/status.ts";
import { flag, type Verb } from "./verb.ts";

const redrawMs = 2000;

/** `status`: the fleet on one screen. */
export const statusVerbs: readonly Verb[] = [
  {
    words: "status",
    help: "the fleet on one screen: clusters, targets, rollouts, and what needs a look",
    flags: [flag.watch, flag.output],
    examples: ["status", "status -w", "status -o json | jq .looks"],
    run: async (call) => {
      const { screen, clock } = call.ports;
      if (!call.flag("watch")) {
        screen.out(await drawn(call));
        return exit.done;
      }
      while (!call.signal.aborted) {
        const text = await drawn(call).catch(unanswered);
        if (call.signal.aborted) break;
        if (screen.outputIsTerminal) screen.clear();
        screen.out(text);
        await clock.sleep(redrawMs, call.signal).catch(() => undefined);
      }
      return exit.done;
    },
  },
];

async function drawn(call: Call): Promise<string> {
  const hub = await call.hub();
  const status = await hub.fleet.getFleetStatus({}, call.signal);
  const answer: Answer = {
    text: (look) => statusScreen(status, look),
    data: dataOf(GetFleetStatusResponseSchema, status),
    names: [`fleet/${status.fleet}`],
  };
  return printed(answer, parseOutput(call.text("output")), call.look);
}

/** A hub that does not answer now is what the screen shows; it is asked again. */
function unanswered(thrown: unknown): string {
  const fault = Fault.from(thrown);
  if (fault.code !== "cancelled" && exitOf(fault) !== exit.unreachable) throw fault;
  return faultLines(fault);
}
