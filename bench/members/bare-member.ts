/**
 * A member without a store, for measuring what peers do by themselves: run by fork with its settings as JSON.
 *
 *     parent ─▶ hint {revision}                     child ─▶ linked {count}, sent and hinted {revision, atMs}
 *
 * Times are of the machine's monotonic clock, which all its processes share.
 */
import { systemRandom } from '../../src/base/chance.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { loadIdentity } from '../../src/peers/identity.ts';
import { PEER_LIMITS } from '../../src/peers/limits.ts';
import { Peers } from '../../src/peers/peers.ts';
import { secretTrust } from '../../src/peers/trust.ts';

export interface BareMemberSettings {
  readonly ip: string;
  readonly port: number;
  readonly addresses: readonly string[];
  readonly folder: string;
  readonly secretFile: string;
}

export interface ToMember {
  readonly kind: 'hint';
  readonly revision: number;
}

export type FromMember =
  | { readonly kind: 'started'; readonly id: string }
  | { readonly kind: 'linked'; readonly count: number }
  | { readonly kind: 'sent' | 'hinted'; readonly revision: number; readonly atMs: number };

/** Milliseconds of CLOCK_MONOTONIC. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

async function run(settings: BareMemberSettings): Promise<void> {
  const tell = (message: FromMember): void => void process.send?.(message);
  const peers = new Peers({
    ...{ clock: systemClock, random: systemRandom, logger: silentLogger, identity: loadIdentity(settings.folder) },
    ...{ trust: secretTrust(settings.secretFile), listen: { ip: settings.ip, port: settings.port }, advertise: [] },
    ...{ cluster: 'bench', store: 'bench', name: settings.ip, version: '', clientUrls: [], etcdMemberId: '1' },
    ...{ dns: [], dnsServer: undefined, addresses: settings.addresses, lastKnownFile: undefined, table: undefined },
    ...{ linksMax: PEER_LIMITS.linksMax, heartbeatMs: PEER_LIMITS.heartbeatMs, deadAfterMs: PEER_LIMITS.deadAfterMs },
  });
  peers.onChange(() => tell({ kind: 'linked', count: peers.members().length }));
  peers.onHint((revision) => tell({ kind: 'hinted', revision, atMs: machineMs() }));
  process.on('message', ({ revision }: ToMember) => {
    tell({ kind: 'sent', revision, atMs: machineMs() });
    peers.hint(revision);
  });
  process.on('disconnect', () => process.exit(0));
  await peers.start();
  tell({ kind: 'started', id: peers.id });
}

const [, , settings] = process.argv;
if (settings?.startsWith('{')) await run(JSON.parse(settings) as BareMemberSettings);
