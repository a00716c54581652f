import { expect, it } from 'vitest';
import type { DutyReport, PeersReport } from './report.ts';
import { formatReport } from './report-table.ts';

const ABLE = { isAble: true, reason: '' };

function duty(name: string, holder: string | undefined, owner: string | undefined): DutyReport {
  const ids = { holder: holder?.repeat(32), owner: owner?.repeat(32) };
  return { name, ...ids, epoch: 3, isOurs: holder === 'aa', ageMs: 65_000, lateMs: 0 };
}

it('says who is there, who is not and why, and what DNS says', () => {
  const report: PeersReport = {
    self: {
      ...{
        id: 'aa'.repeat(32),
        name: 'one',
        version: '0.1.0',
        cluster: 'c0ffee',
        incarnation: '0',
        listening: '[::]:2380',
      },
      ...{
        advertised: [],
        trust: 'secret',
        ability: ABLE,
        duties: ['expire-00', 'expire-01', 'expire-02', 'expire-09', 'compact'],
      },
    },
    viewHash: '12345678',
    listed: 3,
    linked: 1,
    wanted: 2,
    members: [
      {
        ...{
          id: 'bb'.repeat(32),
          name: 'two',
          version: '0.1.0',
          address: '10.0.0.2:2380',
          sources: ['dns', 'inbound'],
        },
        ...{ dialledBy: 'us', sinceMs: 1_000_000, roundTripMs: 0.44, ability: { isAble: false, reason: 'draining' } },
        ...{ sitsOut: true, hasSameStore: true, clientUrls: [], duties: [] },
      },
    ],
    duties: [
      duty('compact', 'aa', 'aa'),
      duty('vacuum', 'aa', 'bb'),
      duty('check', undefined, 'bb'),
      duty('backup', 'cc', undefined),
      duty('expire-09', 'dd', 'bb'),
    ],
    addresses: [
      { address: '10.0.0.1:2380', sources: ['dns'], state: 'self', code: undefined, reason: '', atMs: undefined },
      {
        ...{ address: '10.0.0.3:2380', sources: ['dns'], state: 'refused', code: 'wrong-secret' },
        ...{ reason: 'they do not know our secret', atMs: 1_030_000 },
      },
    ],
    dns: [{ name: 'kedge.example:2380', addresses: 3, ageMs: 65_000, failure: 'no answer within 1000 ms' }],
    refusals: [{ remote: '10.9.9.9', code: 'tls', reason: 'no shared cipher', by: 'us', atMs: 1_059_000, count: 4 }],
  };
  expect(formatReport(report, 1_060_000)).toBe(`this member  one (aaaaaaaaaaaa), kedge 0.1.0, at [::]:2380
cluster      c0ffee, trust by secret
members      1 of 2 linked, 3 addresses listed, view 12345678
DNS          kedge.example:2380: 3 addresses 1m5s ago; no answer within 1000 ms

ID            NAME  ADDRESS        FROM         STATE             SINCE  RTT    ABLE          DUTIES
aaaaaaaaaaaa  one   [::]:2380      -            self              -      -      yes           expire 00-02,09, compact
bbbbbbbbbbbb  two   10.0.0.2:2380  dns,inbound  linked, sits out  1m     0.4ms  no: draining  -

DUTY       LAST DONE BY  WHEN      THE RULE NAMES
vacuum     one           1m5s ago  two
expire-09  dddddddddddd  1m5s ago  two

NOT LINKED     FROM  STATE    SINCE  WHY
10.0.0.3:2380  dns   refused  30s    wrong-secret: they do not know our secret

REFUSED   BY  TIMES  LAST    WHY
10.9.9.9  us  4      1s ago  tls: no shared cipher`);
});
