import { createInterface, type Interface } from "node:readline";
import type { Screen } from "../../cli/port.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** The process's own terminal. */
export function processScreen(env: Env): Screen {
  const { stdin, stdout, stderr } = process;
  const outputIsTerminal = stdout.isTTY === true;
  // `capstan … | head`: a reader that has seen enough is no failure.
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    interactive: stdin.isTTY === true && stderr.isTTY === true,
    outputIsTerminal,
    colours: outputIsTerminal && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb",
    width: stdout.columns ?? 100,
    ask: (question) => askOn(createInterface({ input: stdin, output: stderr }), question),
    clear: () => void stdout.write("\u001b[H\u001b[2J\u001b[3J"),
  };
}

/** Ctrl-C and the end of input are no. */
function askOn(lines: Interface, question: string): Promise<boolean> {
  return new Promise((resolve) => {
    lines.once("SIGINT", () => lines.close());
    lines.once("close", () => resolve(false));
    lines.question(question, (answer) => {
      resolve(/^y(es)?$/i.test(answer.trim()));
      lines.close();
    });
  });
}
