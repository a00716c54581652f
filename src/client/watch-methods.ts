import { WatchRequest, WatchResponse } from '../etcd/messages/watch-table.ts';
import { readMethod } from './method.ts';

/** The method of etcdserverpb.Watch: a stream both ways. */
export const WatchMethod = { watch: readMethod('Watch/Watch', WatchRequest, WatchResponse) } as const;
