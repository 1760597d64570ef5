import { createInterface } from "node:readline/promises";
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
    ask: async (question) => {
      const lines = createInterface({ input: stdin, output: stderr });
      try {
        return /^y(es)?$/i.test((await lines.question(question)).trim());
      } finally {
        lines.close();
      }
    },
    clear: () => void stdout.write("\u001b[H\u001b[2J\u001b[3J"),
  };
}
