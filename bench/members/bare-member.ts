/**
 * A member without a store, for measuring what peers do by themselves: run by fork with its settings as JSON. The parent
 * plays the database: the fence of its duties is asked over the channel between the two.
 *
 *     parent ─▶ hint {revision}                     child ─▶ linked {count}, hinted {revision, atMs}, claim {…}
 *     parent ─▶ claimed {number, epoch}
 *
 * Times are of the machine's monotonic clock, which all its processes share.
 */
import { systemRandom } from '../../src/base/chance.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { Duties } from '../../src/peers/duties.ts';
import type { DutyFence } from '../../src/peers/duty-fence.ts';
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
  readonly duties: readonly string[];
  readonly everyMs: number;
}

export type ToMember =
  | { readonly kind: 'hint'; readonly revision: number }
  | { readonly kind: 'claimed'; readonly number: number; readonly epoch: number | undefined }
  | { readonly kind: 'records'; readonly number: number; readonly records: Awaited<ReturnType<DutyFence['read']>> };

export type FromMember =
  | { readonly kind: 'started'; readonly id: string }
  | { readonly kind: 'linked'; readonly count: number }
  | { readonly kind: 'sent' | 'hinted'; readonly revision: number; readonly atMs: number }
  | { readonly kind: 'claim'; readonly number: number; readonly duty: string; readonly dueAfterMs: number }
  | { readonly kind: 'read'; readonly number: number };

/** Milliseconds of CLOCK_MONOTONIC. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

async function run(settings: BareMemberSettings): Promise<void> {
  const tell = (message: FromMember): void => void process.send?.(message);
  const answers = new Map<number, (message: ToMember) => void>();
  let number = 0;
  const ask = <T>(question: (number: number) => FromMember, answer: (message: ToMember) => T): Promise<T> =>
    new Promise((resolve) => {
      const own = number++;
      answers.set(own, (message) => resolve(answer(message)));
      tell(question(own));
    });
  const fence: DutyFence = {
    claim: (duty, _holder, dueAfterMs) =>
      ask(
        (own) => ({ kind: 'claim', number: own, duty, dueAfterMs }),
        (message) => (message.kind === 'claimed' ? message.epoch : undefined),
      ),
    read: () =>
      ask(
        (own) => ({ kind: 'read', number: own }),
        (message) => (message.kind === 'records' ? message.records : []),
      ),
  };
  const peers = new Peers({
    ...{ clock: systemClock, random: systemRandom, logger: silentLogger, identity: loadIdentity(settings.folder) },
    ...{ trust: secretTrust(settings.secretFile), listen: { ip: settings.ip, port: settings.port }, advertise: [] },
    ...{ cluster: 'bench', store: 'bench', name: settings.ip, version: '', clientUrls: [], etcdMemberId: '1' },
    ...{ dns: [], dnsServer: undefined, addresses: settings.addresses, lastKnownFile: undefined, table: undefined },
    ...{ linksMax: PEER_LIMITS.linksMax, heartbeatMs: PEER_LIMITS.heartbeatMs, deadAfterMs: PEER_LIMITS.deadAfterMs },
  });
  const duties = new Duties({
    ...{ clock: systemClock, random: systemRandom, logger: silentLogger, fence },
    duties: settings.duties.map((name) => ({ name, everyMs: settings.everyMs, run: async () => undefined })),
    self: () => ({ id: peers.id, ability: peers.ability }),
    members: () => peers.members(),
  });
  peers.onChange(() => {
    tell({ kind: 'linked', count: peers.members().length });
    duties.changed();
  });
  peers.onHint((revision) => tell({ kind: 'hinted', revision, atMs: machineMs() }));
  process.on('message', (message: ToMember) => {
    if (message.kind === 'hint') {
      tell({ kind: 'sent', revision: message.revision, atMs: machineMs() });
      peers.hint(message.revision);
      return;
    }
    answers.get(message.number)?.(message);
    answers.delete(message.number);
  });
  process.on('disconnect', () => process.exit(0));
  await peers.start();
  tell({ kind: 'started', id: peers.id });
  duties.start();
}

const [, , settings] = process.argv;
if (settings?.startsWith('{')) await run(JSON.parse(settings) as BareMemberSettings);
