import type { Clock } from '../base/clock.ts';
import { type Call, Status, StatusError } from '../wire/grpc.ts';

export interface ClientLimitsOptions {
  /** Of one client, with twice as many at once after a pause; 0: no limit. */
  readonly requestsPerSecondMax: number;
  /** Unary calls of one client under way; 0: no limit. */
  readonly inFlightMax: number;
  readonly clock: Clock;
}

interface Client {
  tokens: number;
  refilledMs: number;
  inFlight: number;
}

/** Clients that are remembered. One that is forgotten begins with a full allowance. */
const CLIENTS_MAX = 10_000;
const BURST_SECONDS = 2;

/**
 * What one client may ask at a time, so that a loop gone wild on one machine is its own problem. A client is the common
 * name of its certificate, else its address without the port.
 */
export class ClientLimits {
  readonly #options: ClientLimitsOptions;
  /** Least recently seen first. */
  readonly #clients = new Map<string, Client>();
  /** Calls refused. */
  refused = 0;

  constructor(options: ClientLimitsOptions) {
    this.#options = options;
  }

  /** Takes one request from the client's allowance. Throws resourceExhausted when there is none left. */
  request(call: Call): void {
    const { requestsPerSecondMax: max } = this.#options;
    if (max === 0) return;
    const name = clientOf(call);
    const client = this.#client(name);
    const nowMs = this.#options.clock.monotonicMs();
    client.tokens = Math.min(max * BURST_SECONDS, client.tokens + ((nowMs - client.refilledMs) * max) / 1000);
    client.refilledMs = nowMs;
    if (client.tokens < 1)
      throw this.#refusal(`${name} sends more than ${max} ${max === 1 ? 'request' : 'requests'} a second`);
    client.tokens -= 1;
  }

  /** Counts a unary call in; answers what counts it out again. Throws resourceExhausted when there are too many. */
  enter(call: Call): () => void {
    const { inFlightMax: max } = this.#options;
    if (max === 0) return NOTHING;
    const name = clientOf(call);
    const client = this.#client(name);
    if (client.inFlight >= max) throw this.#refusal(`${name} has ${max} requests under way`);
    client.inFlight++;
    let isIn = true;
    return () => {
      if (isIn) client.inFlight--;
      isIn = false;
    };
  }

  #client(name: string): Client {
    let client = this.#clients.get(name);
    if (client !== undefined) {
      // To the end of the line.
      this.#clients.delete(name);
    } else {
      const { requestsPerSecondMax, clock } = this.#options;
      client = { tokens: requestsPerSecondMax * BURST_SECONDS, refilledMs: clock.monotonicMs(), inFlight: 0 };
      this.#forget();
    }
    this.#clients.set(name, client);
    return client;
  }

  /** Makes room. One with calls under way is kept: it would be counted anew. */
  #forget(): void {
    if (this.#clients.size < CLIENTS_MAX) return;
    for (const [name, { inFlight }] of this.#clients) {
      if (inFlight > 0) continue;
      this.#clients.delete(name);
      return;
    }
  }

  #refusal(what: string): StatusError {
    this.refused++;
    return new StatusError(Status.resourceExhausted, `kedge: too many requests: ${what}; try again later`);
  }
}

const NOTHING = (): void => {};

/** Whose call it is, as far as the connection says. */
export function clientOf({ commonName, peer }: Call): string {
  if (commonName !== undefined) return commonName;
  const colon = peer.lastIndexOf(':');
  return colon < 0 ? peer : peer.slice(0, colon);
}
