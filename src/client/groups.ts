import type { Command } from '../base/command.ts';
import type { ClientHost } from './host.ts';

interface Group {
  commands(host: ClientHost): Command[];
}

/** First word of a client command → where it is. Each is loaded only when it is meant: a client starts often. */
const GROUPS: Readonly<Record<string, () => Promise<Group>>> = {
  get: () => import('./commands/get.ts'),
  put: () => import('./commands/put.ts'),
  del: () => import('./commands/del.ts'),
  txn: () => import('./commands/txn.ts'),
  watch: () => import('./commands/watch.ts'),
  compaction: () => import('./commands/compaction.ts'),
  lease: () => import('./commands/lease.ts'),
  lock: () => import('./commands/lock.ts'),
  elect: () => import('./commands/elect.ts'),
  member: () => import('./commands/member.ts'),
  endpoint: () => import('./commands/endpoint.ts'),
  alarm: () => import('./commands/alarm.ts'),
  defrag: () => import('./commands/defrag.ts'),
  'move-leader': () => import('./commands/move-leader.ts'),
  downgrade: () => import('./commands/downgrade.ts'),
  'make-mirror': () => import('./commands/make-mirror.ts'),
  snapshot: () => import('./commands/snapshot-save.ts'),
  user: () => import('./commands/user.ts'),
  role: () => import('./commands/role.ts'),
  auth: () => import('./commands/auth.ts'),
};

/** Groups of which others have commands too: their words alone do not tell that the client is meant. */
const SHARED = new Set(['snapshot']);

/**
 * The client commands of one word when the command line is plainly theirs, so that nothing else need be loaded;
 * undefined: it may be another command, or a wrong one.
 */
export async function clientCommandsNamed(words: readonly string[], host: ClientHost): Promise<Command[] | undefined> {
  // A name behind flags takes the long way: only all commands together know which flags take a value.
  const [first = '', second = ''] = words;
  const group = Object.hasOwn(GROUPS, first) ? GROUPS[first] : undefined;
  if (group === undefined || (SHARED.has(first) && second !== 'save')) return undefined;
  return (await group()).commands(host);
}

/** All client commands. */
export async function allClientCommands(host: ClientHost): Promise<Command[]> {
  const groups = await Promise.all(Object.values(GROUPS).map((load) => load()));
  return groups.flatMap((group) => group.commands(host));
}
