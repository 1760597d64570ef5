import type { ApiClient, ApiReply, ApiRequest } from "../../listings/port.ts";
import type { HttpExchange } from "../http/exchange.ts";

/** Longest page of a forge's answer. */
const limitBytes = 8 * 1024 * 1024;

/** HTTP to the servers that generators ask. */
export class HttpApiClient implements ApiClient {
  readonly #exchange: HttpExchange;

  constructor(exchange: HttpExchange) {
    this.#exchange = exchange;
  }

  async send(request: ApiRequest, signal: AbortSignal): Promise<ApiReply> {
    const { status, headers, body } = await this.#exchange.send({ ...request, limitBytes }, signal);
    return { status, headers, body: new TextDecoder().decode(body) };
  }
}
