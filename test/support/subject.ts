import { startEtcd } from './etcd.ts';
import { type KedgeOptions, startKedge } from './kedge.ts';
import type { ServerProcess } from './server-process.ts';

/**
 * What the tests of behaviour are about: kedge. With KEDGE_SUBJECT=etcd they run against the real etcd 3.5 instead, which
 * tests the tests: what they ask of kedge must hold there too.
 */
export const subjectIsKedge: boolean = process.env['KEDGE_SUBJECT'] !== 'etcd';

export interface SubjectOptions extends KedgeOptions {
  /** Flags instead of `args` when it is etcd 3.5. */
  readonly etcdArgs?: readonly string[];
}

export function startSubject(options: SubjectOptions = {}): Promise<ServerProcess> {
  const { etcdArgs, ...rest } = options;
  if (subjectIsKedge) return startKedge(rest);
  return startEtcd('3.5', { ...rest, args: etcdArgs ?? options.args ?? [] });
}
