import { Fault } from "@capstan/proto";
import { Command, CommanderError } from "commander";
import { Call, type Given } from "./call.ts";
import { exit, exitOf, faultLines } from "./exit.ts";
import type { CliPorts } from "./port.ts";
import type { Verb } from "./verb.ts";
import { verbs } from "./verbs.ts";

/** Nouns by their usual name, with the other names that are accepted. */
const nounAliases: Readonly<Record<string, readonly string[]>> = {
  cluster: ["clusters", "cl"],
  rollout: ["rollouts", "ro"],
  token: ["tokens"],
  context: ["contexts", "ctx"],
  root: ["roots"],
  appset: ["appsets", "set", "sets"],
  repo: ["repos", "repository", "repositories"],
  deletion: ["deletions"],
};

const nounHelp: Readonly<Record<string, string>> = {
  hub: "serve as a hub, and look after one",
  "hub rebuild": "after the hub's store was lost",
  cluster: "clusters: join, label, cordon, cut off",
  rollout: "rollouts: watch, pause, roll back",
  token: "tokens of people and programs",
  context: "hubs that you have signed in to",
  appset: "ApplicationSets: what they make, and their traps",
  root: "Git paths that the hub follows",
  repo: "repositories in use",
  deletion: "removals that a guard holds",
  action: "restart, scale, suspend and resume what a target runs",
};

/**
 * The command line: parses words into a verb, runs it, and returns the exit code. Nothing is thrown, and no fault is
 * shown with more than its line and its next step.
 */
export async function runProgram(args: readonly string[], ports: CliPorts, signal: AbortSignal): Promise<number> {
  let code: number = exit.done;
  const program = programOf(verbs, ports, async (verb, words, given) => {
    const call = new Call(ports, words, given, signal);
    try {
      code = await verb.run(call);
    } finally {
      call.close();
    }
  });
  if (args.length === 0) {
    program.outputHelp();
    return exit.done;
  }
  try {
    // `help cluster add` is what many type first.
    const words = args[0] === "help" ? [...args.slice(1), "--help"] : [...args];
    await program.parseAsync(words, { from: "user" });
    return code;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exit.done : exit.usage;
    const fault = Fault.from(thrown);
    ports.screen.err(faultLines(fault));
    return exitOf(fault);
  }
}

type Run = (verb: Verb, words: readonly string[], given: Given) => Promise<void>;

function programOf(all: readonly Verb[], ports: CliPorts, run: Run): Command {
  const program = configured(new Command("capstan"), ports)
    .description("GitOps for a fleet of Kubernetes clusters: Git says what runs where, and this shows and steers it.")
    .version(ports.version, "--version", "show the version")
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .addHelpText("after", `\n${exitHelp}`);
  for (const verb of all) {
    const words = verb.words.split(" ");
    addVerb(nounOf(program, words.slice(0, -1), ports), words.at(-1) ?? "", { verb, ports, run });
  }
  return program;
}

/** The command of a noun, made when it is met first. */
function nounOf(program: Command, words: readonly string[], ports: CliPorts): Command {
  let at = program;
  for (const [depth, word] of words.entries()) {
    const known = at.commands.find((command) => command.name() === word);
    if (known !== undefined) {
      at = known;
      continue;
    }
    const noun = configured(new Command(word), ports)
      .description(nounHelp[words.slice(0, depth + 1).join(" ")] ?? "")
      .helpCommand(false);
    noun.aliases(nounAliases[word] ?? []);
    at.addCommand(noun);
    at = noun;
  }
  return at;
}

interface Adding {
  readonly verb: Verb;
  readonly ports: CliPorts;
  readonly run: Run;
}

function addVerb(noun: Command, word: string, { verb, ports, run }: Adding): void {
  const command = configured(new Command(word), ports)
    .description(verb.help)
    .addHelpText("after", `\nExamples:\n${verb.examples.map((line) => `  capstan ${line}`).join("\n")}`);
  if (verb.args !== undefined) command.arguments(verb.args);
  for (const { flags, help, many } of verb.flags ?? []) {
    if (many === true) command.option(flags, help, collected);
    else command.option(flags, help);
  }
  command.action(() => run(verb, command.args, command.opts<Given>()));
  noun.addCommand(command);
}

/** Output and exit belong to the caller: nothing ends the process from within. */
function configured(command: Command, { screen }: CliPorts): Command {
  return command
    .exitOverride()
    .configureOutput({
      writeOut: (text) => screen.out(text),
      writeErr: (text) => screen.err(text),
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
      outputError: (text, write) => write(`capstan: ${text.replace(/^error: /, "")}`),
    })
    .configureHelp({ showGlobalOptions: false });
}

function collected(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

const exitHelp = `Names: a target is NAME, NAMESPACE/NAME or LANE -c CLUSTER; a lane is LANE, or SET:LANE where that is ambiguous.
Exit codes: 0 done, 1 differences (diff), 2 failed, 3 held (health: progressing), 4 aborted, 5 deferred clusters remain,
64 wrong usage, 69 hub unreachable, 77 not allowed.
Environment: CAPSTAN_CONTEXT, CAPSTAN_HUB, CAPSTAN_DATA, CAPSTAN_CONFIG, NO_COLOR.`;
