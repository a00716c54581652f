import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Connection } from './connection.ts';
import type { DeadlineWheel } from './deadline-wheel.ts';
import type { HttpHandler, HttpStreams } from './http.ts';
import type { WireLimits } from './limits.ts';
import type { MethodEntry } from './method-entry.ts';
import type { Flusher, SlabPool } from './output.ts';
import type { ReadEnd } from './read-end.ts';
import type { WireStats } from './stats.ts';

/** What a connection needs of its server. */
export interface WireHost {
  readonly limits: WireLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stats: WireStats;
  readonly wheel: DeadlineWheel;
  readonly pool: SlabPool;
  readonly flusher: Flusher;
  readonly readEnd: ReadEnd;
  /** By path. */
  readonly methods: ReadonlyMap<string, MethodEntry>;
  /** Package and service names, to tell an unknown method from an unknown service. */
  readonly serviceNames: ReadonlySet<string>;
  readonly http: HttpHandler;
  readonly httpStreams: HttpStreams;
  /** A handler threw something that is no StatusError. */
  onHandlerError(path: string, error: unknown): void;
  /** The socket closed. */
  onClosed(connection: Connection): void;
}
