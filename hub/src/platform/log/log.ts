import pino, { type Logger } from "pino";

/** JSON lines on standard error; tokens and keys are cut out wherever they stand under their usual names. */
export function openLog(level: string, base: Readonly<Record<string, string>>): Logger {
  return pino(
    {
      level,
      base,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: ["token", "secret", "password", "authorization", "*.token", "*.secret", "*.password"],
    },
    pino.destination({ dest: 2, sync: false }),
  );
}
