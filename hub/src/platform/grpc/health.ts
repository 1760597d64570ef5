import { Fault } from "@capstan/proto";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "@capstan/proto/health";
import { type Served, serve } from "../../api/service.ts";

/** The standard health service: `SERVING` while the hub leads, `NOT_SERVING` while it stands by. */
export function healthService(state: {
  readonly services: readonly string[];
  leading(): boolean;
  /** Resolves at the next change of leadership. */
  changed(signal: AbortSignal): Promise<void>;
}): Served {
  const statusOf = (service: string) => {
    if (service !== "" && !state.services.includes(service)) return undefined;
    return state.leading() ? Serving.SERVING : Serving.NOT_SERVING;
  };
  return serve(Health, {
    async check({ service }) {
      const status = statusOf(service);
      if (status === undefined) throw new Fault("not-found", { message: `no service is called ${service}.` });
      return { status };
    },
    async *watch({ service }, { signal }) {
      while (!signal.aborted) {
        yield { status: statusOf(service) ?? Serving.SERVICE_UNKNOWN };
        await state.changed(signal);
      }
    },
  });
}
