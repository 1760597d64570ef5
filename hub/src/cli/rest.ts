import { Fault } from "@capstan/proto";
import { GetHubResponseSchema } from "@capstan/proto/system";
import { dataOf } from "./answer.ts";
import { completionScript } from "./completion.ts";
import { exit } from "./exit.ts";
import { faultLines } from "./screens/fault.ts";
import { flag, type Verb } from "./verb.ts";

/** `version` and `completion`; the latter knows the verbs it is given. */
export function restVerbs(verbs: () => readonly Verb[]): readonly Verb[] {
  return [
    {
      words: "version",
      help: "versions of this program and of the hub, and how the hub is",
      flags: [{ flags: "--client", help: "only this program's" }, flag.output],
      examples: ["version", "version --client"],
      run: async (call) => {
        const { version } = call.ports;
        if (call.flag("client")) {
          return call.show({ text: () => [`capstan ${version}`], data: { client: version }, names: [version] });
        }
        const hub = await (await call.hub()).system.getHub({}, call.signal).catch((thrown: unknown) => {
          const fault = Fault.from(thrown);
          if (fault.code === "cancelled") throw fault;
          return fault;
        });
        if (hub instanceof Fault) {
          call.say(`capstan ${version}`);
          throw hub;
        }
        return call.show({
          text: (look) => [
            `capstan ${version}`,
            `hub ${hub.version} (${hub.hub}), fleet ${hub.fleet}, ${hub.leading ? `leads, epoch ${hub.epoch}` : "stands by"}`,
            `NATS ${hub.natsVersion}; renders are confined by: ${hub.sandbox}`,
            `CA pin ${hub.caPin}`,
            ...(hub.rebuilding ? ["a rebuild waits for a person: capstan hub rebuild end"] : []),
            ...(hub.missingDocuments.length === 0
              ? []
              : ["documents applied by hand that are missing:", ...hub.missingDocuments.map((name) => `  ${name}`)]),
            ...hub.problems.flatMap((problem) => faultLines(problem, look)),
          ],
          data: { client: version, hub: dataOf(GetHubResponseSchema, hub) },
          names: [`hub/${hub.hub}`],
        });
      },
    },
    {
      words: "completion",
      args: "<shell>",
      help: "a completion script for bash, zsh or fish",
      examples: ["completion bash > /etc/bash_completion.d/capstan", "completion zsh > ~/.zfunc/_capstan"],
      run: async (call) => {
        call.ports.screen.out(completionScript(call.word(0), verbs()));
        return exit.done;
      },
    },
  ];
}
