import pino from "pino";
import type { LogLevel } from "../../config/model.ts";
import type { AgentLog } from "../../ports.ts";

/** JSON lines on standard error, written at once: an agent logs little, and its last words matter most. */
export function openLog(level: LogLevel, cluster: string): AgentLog {
  const root = pino(
    { level, base: { cluster }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
  return {
    debug: (room, message, fields = {}) => root.debug({ room, ...fields }, message),
    info: (room, message, fields = {}) => root.info({ room, ...fields }, message),
    warn: (room, message, fields = {}) => root.warn({ room, ...fields }, message),
  };
}
