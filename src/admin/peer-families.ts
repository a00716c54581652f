import type { PeersReport } from '../peers/report.ts';
import type { PeerStats } from '../peers/stats.ts';
import { counter, type Family, gauge } from './exposition.ts';

/** What the peers have to tell. */
export interface PeerCells {
  readonly stats: PeerStats;
  report(): PeersReport;
}

export function peerFamilies({ stats, report }: PeerCells): Family[] {
  return [
    gauge('kedge_peers_listed', 'Addresses that DNS, the static list and the table name.', () => report().listed),
    gauge('kedge_peers_linked', 'Members that are linked.', () => report().linked),
    gauge('kedge_peers_wanted', 'Links that are sought.', () => report().wanted),
    gauge('kedge_peers_able', 'Whether this member may have duties.', () => (report().self.ability.isAble ? 1 : 0)),
    {
      name: 'kedge_peers_refused_total',
      help: 'Handshakes that ended without a link, by reason.',
      type: 'counter',
      write(to) {
        for (const [reason, { value }] of stats.refused) to.sample(value, { reason });
      },
    },
    counter('kedge_peers_links_total', 'Links that came about.', stats.linked),
    counter('kedge_peers_links_broken_total', 'Links that broke without a leave.', stats.broken),
    counter(
      'kedge_peers_hints_sent_total',
      'Hints for others, one per member and commit; those close together go as one.',
      stats.hintsSent,
    ),
    counter('kedge_peers_hints_received_total', 'Hints received that said something new.', stats.hintsReceived),
    counter('kedge_peers_introductions_total', 'Addresses of newcomers that others told of.', stats.introductions),
    counter('kedge_peers_pauses_total', 'Times this process stood still for over a heartbeat.', stats.pauses),
    {
      name: 'kedge_peers_dns_age_seconds',
      help: 'Since DNS last gave addresses for a name; +Inf: never.',
      type: 'gauge',
      write(to) {
        for (const { name, ageMs = Number.POSITIVE_INFINITY } of report().dns) to.sample(ageMs / 1000, { name });
      },
    },
  ];
}
