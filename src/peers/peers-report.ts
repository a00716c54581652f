import { createHash } from 'node:crypto';
import type { Attempt } from './dialler.ts';
import type { Peers } from './peers.ts';
import type { AddressReport, DutyReport, PeersReport } from './report.ts';
import type { MemberId } from './types.ts';

/** Puts together what there is to know, for `/peers`. `duties`: those of the store. */
export function peersReport(peers: Peers, duties: readonly DutyReport[] = []): PeersReport {
  const hello = peers.hello();
  const members = peers.members();
  const candidates = peers.book.candidates();
  const held = (holds: (duty: DutyReport) => boolean): string[] => duties.filter(holds).map(({ name }) => name);
  const linkedAt = new Set(members.flatMap((member) => [member.address, ...member.hello.addresses]));
  const linkedIds = new Set(members.map(({ id }) => id));
  const addresses: AddressReport[] = [];
  for (const { name, sources } of candidates) {
    const attempt = peers.dialler.stateAt(name);
    if (linkedAt.has(name) || (attempt?.id !== undefined && linkedIds.has(attempt.id))) continue;
    const { refused } = attempt ?? {};
    addresses.push({
      address: name,
      sources,
      state: hello.addresses.includes(name) ? 'self' : stateOf(attempt),
      code: refused?.code,
      reason: refused?.reason ?? '',
      atMs: refused?.atMs,
    });
  }
  const others = addresses.filter(({ state }) => state !== 'self').length + members.length;
  return {
    self: {
      id: peers.id,
      name: hello.name,
      version: hello.version,
      cluster: hello.cluster,
      incarnation: hello.incarnation,
      listening: peers.listening,
      advertised: hello.addresses,
      trust: peers.trustMode,
      ability: peers.ability,
      duties: held(({ isOurs }) => isOurs),
    },
    viewHash: viewHashOf([peers.id, ...linkedIds]),
    listed: peers.book.listed,
    linked: members.length,
    wanted: Math.min(others, peers.linksMax),
    members: members.map((member) => ({
      id: member.id,
      name: member.hello.name,
      version: member.hello.version,
      address: member.address,
      sources: candidates.find(({ name }) => name === member.address)?.sources ?? ['inbound'],
      dialledBy: member.side === 'dialler' ? 'us' : 'them',
      sinceMs: member.sinceMs,
      roundTripMs: member.roundTripMs,
      ability: member.ability,
      sitsOut: member.sitsOut,
      hasSameStore: member.hasSameStore,
      clientUrls: member.hello.clientUrls,
      duties: held(({ holder }) => holder === member.id),
    })),
    duties,
    addresses,
    dns: peers.dns.map(({ state }) => state),
    refusals: peers.refusals.entries(),
  };
}

/** Eight digits. */
function viewHashOf(ids: readonly MemberId[]): string {
  return createHash('sha256')
    .update([...ids].sort().join())
    .digest('hex')
    .slice(0, 8);
}

function stateOf(attempt: Readonly<Attempt> | undefined): AddressReport['state'] {
  if (attempt === undefined) return 'waiting';
  if (attempt.isSelf) return 'self';
  if (attempt.isDialling) return 'dialling';
  if (attempt.refused === undefined) return 'waiting';
  return attempt.refused.code === 'unreachable' || attempt.refused.code === 'timeout' ? 'unreachable' : 'refused';
}
