import type { AddressInfo } from 'node:net';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { HealthService } from '../../src/etcd/health.ts';
import { OpenStreams } from '../../src/etcd/open-streams.ts';
import { type EtcdServicesOptions, etcdServices } from '../../src/etcd/services.ts';
import type { Log } from '../../src/mvcc/log.ts';
import { MemoryLog } from '../../src/mvcc/memory-log.ts';
import { Store } from '../../src/mvcc/store.ts';
import { defaultWireLimits } from '../../src/wire/limits.ts';
import { WireServer } from '../../src/wire/server.ts';
import { WireStats } from '../../src/wire/stats.ts';
import { EtcdClient } from '../support/client.ts';

export const MIB = 1024 * 1024;

/** The whole API as it ships, on a real wire, over a real store. Its log is in memory unless another is given. */
export class ApiServer {
  readonly store: Store;
  readonly health = new HealthService();
  readonly openStreams = new OpenStreams();
  readonly handlerErrors: unknown[] = [];
  readonly #clients: EtcdClient[] = [];
  readonly #options: Partial<EtcdServicesOptions>;
  #wire: WireServer | undefined;
  port = 0;

  constructor(options: Partial<EtcdServicesOptions> = {}, log: Log = new MemoryLog()) {
    this.#options = options;
    this.store = new Store({ log, clock: systemClock, random: Math.random, logger: silentLogger });
  }

  async start(): Promise<this> {
    await this.store.start();
    const services = etcdServices({
      store: this.store,
      clock: systemClock,
      random: () => 0.5,
      health: this.health,
      openStreams: this.openStreams,
      maxRequestBytes: 1.5 * MIB,
      requestOverheadBytes: 0.5 * MIB,
      maxTxnOps: 128,
      quotaBytes: 2048 * MIB,
      watchProgressNotifyIntervalMs: 600_000,
      memberName: 'default',
      peerUrls: ['http://localhost:2380'],
      clientUrls: ['http://localhost:2379'],
      ...this.#options,
    });
    this.#wire = new WireServer({
      services,
      http: async () => ({ status: 404, headers: {}, body: '' }),
      limits: defaultWireLimits,
      clock: systemClock,
      logger: silentLogger,
      onHandlerError: (_path, error) => this.handlerErrors.push(error),
      stats: new WireStats(services),
    });
    const address = (await this.#wire.listen({ host: '127.0.0.1', port: 0 })) as AddressInfo;
    this.port = address.port;
    return this;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.port}`;
  }

  client(): EtcdClient {
    const client = new EtcdClient(this.endpoint);
    this.#clients.push(client);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.#wire?.close();
    await this.store.stop();
  }
}
