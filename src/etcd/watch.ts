import type { Clock } from '../base/clock.ts';
import type { Gauge } from '../base/metrics.ts';
import type { StoreApi } from '../mvcc/api.ts';
import type { Method } from '../wire/grpc.ts';
import type { Access } from './auth/access.ts';
import type { HeaderCodec } from './header.ts';
import type { OpenStreams } from './open-streams.ts';
import { WatchResponseWriter } from './watch-response-writer.ts';
import { WatchStream } from './watch-stream.ts';

export interface WatchServiceOptions {
  readonly store: Pick<StoreApi, 'watch' | 'revision'>;
  readonly header: HeaderCodec;
  readonly clock: Clock;
  /** 0 inclusive to 1 exclusive: spreads the progress of many streams. */
  readonly random: () => number;
  /** Between two looks whether a watch with progress_notify was idle; a tenth of it at random on top. etcd: 10 minutes. */
  readonly progressNotifyIntervalMs: number;
  /** Above this a response of a watch with `fragment` is split. etcd: its request limit and 512 KiB. */
  readonly fragmentBytes: number;
  /** Watches of one stream; one more is refused. Default 65,536. */
  readonly watchesPerStreamMax?: number;
  /** Counts open streams (WatchHubStats.streams). */
  readonly streams?: Gauge;
  readonly open?: OpenStreams;
  readonly access?: Access;
}

/** etcd takes no shorter one. */
export const PROGRESS_NOTIFY_INTERVAL_MS_MIN = 100;

/** etcdserverpb.Watch. */
export function watchService(options: WatchServiceOptions): readonly (readonly [path: string, method: Method])[] {
  const writer = new WatchResponseWriter(options.header, options.fragmentBytes);
  const intervalMs = Math.max(options.progressNotifyIntervalMs, PROGRESS_NOTIFY_INTERVAL_MS_MIN);
  return [
    [
      '/etcdserverpb.Watch/Watch',
      {
        kind: 'stream',
        open: (call) =>
          new WatchStream(call, {
            store: options.store,
            writer,
            clock: options.clock,
            progressIntervalMs: intervalMs * (1 + options.random() / 10),
            watchesMax: options.watchesPerStreamMax ?? 65_536,
            streams: options.streams,
            open: options.open,
            access: options.access,
          }),
      },
    ],
  ];
}
