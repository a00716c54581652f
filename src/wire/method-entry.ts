import type { Method } from './grpc.ts';
import type { MethodStats } from './stats.ts';

/** A method of the table with its cells: what a path leads to, looked up once per header block. */
export interface MethodEntry {
  readonly method: Method;
  readonly stats: MethodStats;
}
