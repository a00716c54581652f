import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { HeaderCodec } from '../../src/etcd/header.ts';
import { OpenStreams } from '../../src/etcd/open-streams.ts';
import { type WatchServiceOptions, watchService } from '../../src/etcd/watch.ts';
import type { Change, Revision } from '../../src/mvcc/types.ts';
import { WatchHub } from '../../src/mvcc/watch-hub.ts';
import type { ServiceTable } from '../../src/wire/grpc.ts';
import { defaultWireLimits, type WireLimits } from '../../src/wire/limits.ts';
import { WireServer } from '../../src/wire/server.ts';
import { WireStats } from '../../src/wire/stats.ts';
import { EtcdClient, type Stream } from '../support/client.ts';
import type { WatchRequest, WatchResponse } from '../support/messages.ts';
import { ModelHistory, quiet } from './model-history.ts';

export type WatchCall = Stream<WatchRequest, WatchResponse>;

export interface WatchServerOptions {
  readonly clock?: Clock;
  readonly limits?: Partial<WireLimits>;
  readonly watch?: Partial<WatchServiceOptions>;
}

/** The Watch service as it ships, on a real wire, over a history whose reads the test may hold up or let fail. */
export class WatchServer extends ModelHistory {
  readonly hub: WatchHub;
  readonly open = new OpenStreams();
  readonly #wire: WireServer;
  readonly #clients: EtcdClient[] = [];
  readonly handlerErrors: unknown[] = [];
  failure: Error | undefined;
  port = 0;

  constructor(options: WatchServerOptions = {}) {
    super();
    this.prompt = true;
    this.hub = new WatchHub(this);
    const hub = this.hub;
    const services: ServiceTable = new Map(
      watchService({
        store: {
          watch: (request, sink) => hub.watch(request, sink),
          get revision() {
            return hub.head;
          },
        },
        header: new HeaderCodec(1n, 2n),
        clock: options.clock ?? systemClock,
        random: () => 0.5,
        progressNotifyIntervalMs: 600_000,
        fragmentBytes: 2 * 1024 * 1024,
        streams: hub.stats.streams,
        open: this.open,
        ...options.watch,
      }),
    );
    this.#wire = new WireServer({
      services,
      http: async () => ({ status: 404, headers: {}, body: '' }),
      limits: { ...defaultWireLimits, ...options.limits },
      clock: systemClock,
      logger: silentLogger,
      onHandlerError: (_path, error) => this.handlerErrors.push(error),
      stats: new WireStats(services),
    });
  }

  async start(): Promise<this> {
    const address = (await this.#wire.listen({ host: '127.0.0.1', port: 0 })) as AddressInfo;
    this.port = address.port;
    return this;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.#wire.close();
    this.prompt = true;
    while (this.settle()) await quiet();
    await this.hub.stop();
  }

  /** A Watch call on a connection of its own. */
  call(): WatchCall {
    const client = new EtcdClient(`127.0.0.1:${this.port}`);
    this.#clients.push(client);
    return client.stream('Watch/Watch');
  }

  override async changes(after: Revision, bytesMax: number): Promise<readonly Change[]> {
    if (this.failure !== undefined) throw this.failure;
    return super.changes(after, bytesMax);
  }

  put(key: string, value: string): void {
    this.commit([[{ key, value }]], this.hub);
  }
}

/** `put a=1@2`, one for each event. */
export function events(responses: readonly WatchResponse[]): string[] {
  return responses.flatMap((response) =>
    response.events.map((event) => {
      const { kv } = event;
      const kind = String((event as { type?: unknown }).type).toLowerCase();
      return `${kind} ${kv?.key.toString('latin1')}=${kv?.value.toString('latin1')}@${kv?.mod_revision}`;
    }),
  );
}

/** Takes responses until there are so many events. */
export async function takeEvents(call: WatchCall, count: number): Promise<WatchResponse[]> {
  const responses: WatchResponse[] = [];
  for (let seen = 0; seen < count; ) {
    const response = await call.take();
    responses.push(response);
    seen += response.events.length;
  }
  return responses;
}
