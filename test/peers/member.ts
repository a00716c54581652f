import { join } from 'node:path';
import { systemRandom } from '../../src/base/chance.ts';
import { systemClock } from '../../src/base/clock.ts';
import { type LogFields, type Logger, silentLogger } from '../../src/base/logger.ts';
import { loadIdentity } from '../../src/peers/identity.ts';
import { Peers } from '../../src/peers/peers.ts';
import type { PeersOptions } from '../../src/peers/peers-options.ts';
import { loopbackTrust } from '../../src/peers/trust.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A member in this process, on a loopback address of its own; trusts whoever is on this machine unless told otherwise. */
export interface TestMember {
  readonly peers: Peers;
  readonly folder: string;
  readonly address: string;
  readonly log: readonly { readonly level: string; readonly event: string; readonly fields: LogFields | undefined }[];
}

export type MemberOptions = Partial<Omit<PeersOptions, 'listen'>> & {
  readonly ip?: string;
  readonly port?: number;
  readonly folder?: string;
};

const running: Peers[] = [];

export async function startMember(options: MemberOptions = {}): Promise<TestMember> {
  const { ip = '127.0.0.1', port = 0, folder = temporaryFolder('member'), ...rest } = options;
  const log: { level: string; event: string; fields: LogFields | undefined }[] = [];
  const peers = new Peers({
    clock: systemClock,
    random: systemRandom,
    logger: options.logger ?? recorder(log),
    identity: loadIdentity(join(folder, 'peers')),
    trust: loopbackTrust,
    listen: { ip, port },
    advertise: [],
    cluster: 'c1',
    store: 'c1',
    name: ip,
    version: '0.0.0',
    clientUrls: [`http://${ip}:2379`],
    etcdMemberId: '1',
    dns: [],
    dnsServer: undefined,
    addresses: [],
    lastKnownFile: join(folder, 'peers', 'last-known.json'),
    table: undefined,
    linksMax: 32,
    heartbeatMs: 500,
    deadAfterMs: 1500,
    ...rest,
  });
  running.push(peers);
  await peers.start();
  return { peers, folder, address: peers.listening, log };
}

/** For afterEach. */
export async function stopMembers(): Promise<void> {
  await Promise.all(running.splice(0).map((peers) => peers.stop()));
}

/** Waits until it holds; throws with what `show` says when it does not within half a minute. */
export async function until(holds: () => boolean, show: () => unknown = () => '', withinMs = 30_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${JSON.stringify(show())}`);
    await pause(10);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Whether all of them have links to all others. */
export function areAllLinked(members: readonly { readonly peers: Peers }[]): boolean {
  return members.every(({ peers }) => {
    const ids = peers.members().map(({ id }) => id);
    return members.every((other) => other.peers.id === peers.id || ids.includes(other.peers.id));
  });
}

function recorder(log: { level: string; event: string; fields: LogFields | undefined }[]): Logger {
  const note = (level: string) => (event: string, fields?: LogFields) => void log.push({ level, event, fields });
  return { ...silentLogger, debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
}
