import { GetFleetStatusResponseSchema } from "@capstan/proto/fleet";
import { dataOf, parseOutput, printed } from "./answer.ts";
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
      const hub = await call.hub();
      const { screen, clock } = call.ports;
      const output = parseOutput(call.text("output"));
      while (true) {
        const status = await hub.fleet.getFleetStatus({}, call.signal);
        const answer = {
          text: (look: Parameters<typeof statusScreen>[1]) => statusScreen(status, look),
          data: dataOf(GetFleetStatusResponseSchema, status),
          names: [`fleet/${status.fleet}`],
        };
        if (call.flag("watch") && screen.outputIsTerminal) screen.clear();
        screen.out(printed(answer, output, call.look));
        if (!call.flag("watch")) return 0;
        const ended = await clock.sleep(redrawMs, call.signal).then(
          () => false,
          () => true,
        );
        if (ended) return 0;
      }
    },
  },
];
