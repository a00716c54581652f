import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, freePorts } from '../../test/support/ports.ts';
import type { Finding } from '../finding.ts';
import { Histogram } from '../load/histogram.ts';
import { BareFleet } from '../members/bare-fleet.ts';
import { KedgeMember, peerFlags, secretFileIn, startKedges } from '../members/kedge-fleet.ts';
import { dutyFindings, dutyMembers } from './peers-duties.ts';
import { watchFindings } from './peers-watch.ts';
import type { Section, SectionContext } from './section.ts';

const membersCount = 9;
/** Long enough for a garbage collection of all, which comes once in some minutes, to weigh what it weighs. */
const idleSeconds = 60;
const hintsPerSecond = 50;
const hintSeconds = 10;

/** What peers promise: how soon members find each other, hear of commits, and notice that one is gone. */
export const peers: Section = {
  name: 'peers',
  summary: 'nine kedges: linking, hints, members that die or freeze, duties, memory, idle CPU',
  isLong: true,
  run: async (context) => [
    ...(await fleetFindings(context)),
    ...(await hintFindings(context)),
    ...(await watchFindings(context, await freePorts(2))),
    ...(await dutyFindings(context, await freePorts(dutyMembers))),
  ],
};

const finding = (what: string, figure: number, unit: string, max: number): Finding => ({
  section: 'peers',
  what,
  figure,
  unit,
  bar: { text: `under ${max} ${unit}`, isCleared: figure < max },
});

async function fleetFindings({ kedge, folder, progress }: SectionContext): Promise<Finding[]> {
  const bare = await Promise.all(
    [0, 1, 2].map(async (i) => new KedgeMember(`bare${i}`, kedge, folder, await freePort(), [])),
  );
  const findings: Finding[] = [];
  const members: KedgeMember[] = [];
  try {
    await untilAll(bare, (member) => member.when('serving') !== undefined);
    progress('peers: starting nine members');
    const [peerPort, ...ports] = await freePorts(membersCount + 2);
    const newcomerPort = ports.pop() ?? 0;
    const startedAtMs = performance.now();
    members.push(...startKedges(kedge, folder, ports, peerPort ?? 0));
    await untilAll(members, (member) => member.linked === membersCount - 1 && member.when('serving') !== undefined);
    const linkedMs = performance.now() - startedAtMs;
    const servingMs = Math.max(...members.map((member) => member.when('serving') ?? 0)) - startedAtMs;
    findings.push({
      ...finding('nine members, spawn to all linked', seconds(linkedMs), 's', 3),
      against: { what: 'the last one serving', figure: seconds(servingMs) },
    });

    progress('peers: idle');
    await sleep(3000);
    const before = { members: cpu(members), bare: cpu(bare) };
    await sleep(idleSeconds * 1000);
    const share = (now: number, then: number, count: number): number => ((now - then) / idleSeconds / count) * 100;
    const bareShare = share(cpu(bare), before.bare, bare.length);
    findings.push({
      ...finding('idle CPU per member', share(cpu(members), before.members, membersCount), '% of a core', 0.5),
      against: { what: 'a bare store', figure: bareShare },
    });
    const [own, alone] = [median(members.map(resident)), median(bare.map(resident))];
    findings.push({
      ...finding('memory per member over a bare store', own - alone, 'MiB', 15),
      against: { what: 'bare', figure: alone },
    });

    progress('peers: a newcomer that knows one member');
    const flags = peerFlags(membersCount, peerPort ?? 0, [`127.0.4.1:${peerPort}`], secretFileIn(folder));
    const newcomer = new KedgeMember('newcomer', kedge, folder, newcomerPort, flags);
    members.push(newcomer);
    await untilAll([newcomer], ({ linked }) => linked === membersCount);
    const listeningAtMs = newcomer.when('peers: listening') ?? 0;
    const joinedAtMs = newcomer.when('member linked', undefined, membersCount) ?? 0;
    findings.push(
      finding(
        'a newcomer that knows one of them, listening to all linked',
        seconds(joinedAtMs - listeningAtMs),
        's',
        0.5,
      ),
    );

    progress('peers: kill -9');
    findings.push(finding('SIGKILL noticed by all', await lostAfter(members, 'm3', 'SIGKILL'), 's', 0.2));
    progress('peers: a frozen member');
    findings.push(
      finding(
        'silence noticed by all',
        await lostAfter(
          members.filter(({ name }) => name !== 'm3'),
          'm5',
          'SIGSTOP',
        ),
        's',
        8,
      ),
    );
    return findings;
  } finally {
    for (const member of [...bare, ...members]) member.signal('SIGKILL');
  }
}

/** Seconds until every other member has said that it lost the one that gets the signal. */
async function lostAfter(members: readonly KedgeMember[], name: string, signal: NodeJS.Signals): Promise<number> {
  const others = members.filter((member) => member.name !== name);
  const atMs = performance.now();
  members.find((member) => member.name === name)?.signal(signal);
  await untilAll(others, (member) => member.when('member lost', name) !== undefined);
  return seconds(Math.max(...others.map((member) => member.when('member lost', name) ?? 0)) - atMs);
}

async function hintFindings({ folder, progress }: SectionContext): Promise<Finding[]> {
  progress('peers: hints');
  const fleet = await BareFleet.start(folder, membersCount, await freePort());
  try {
    const histogram = new Histogram();
    const count = hintsPerSecond * hintSeconds;
    for (let revision = 1; revision <= count; revision++) {
      fleet.hint(0, revision);
      await sleep(1000 / hintsPerSecond);
    }
    await fleet.until(() => fleet.hintedAtMs.has(count));
    for (const [revision, atMs] of fleet.hintedAtMs)
      histogram.record((atMs - (fleet.sentAtMs.get(revision) ?? 0)) * 1000);
    const what = `hint from A to B, ${hintsPerSecond} a second`;
    return [
      { section: 'peers', what: `${what}, delivered`, figure: (histogram.count / count) * 100, unit: '%' },
      finding(`${what}, p50`, histogram.percentile(0.5), 'ms', 5),
      finding(`${what}, p99`, histogram.percentile(0.99), 'ms', 50),
    ];
  } finally {
    fleet.stop();
  }
}

async function untilAll(members: readonly KedgeMember[], holds: (member: KedgeMember) => boolean): Promise<void> {
  const giveUpAtMs = performance.now() + 60_000;
  while (!members.every(holds)) {
    if (performance.now() > giveUpAtMs) throw new Error('peers: members did not get there within a minute');
    await sleep(2);
  }
}

const resident = (member: KedgeMember): number => member.residentMebibytes;

function cpu(members: readonly KedgeMember[]): number {
  return members.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
}

function median(figures: readonly number[]): number {
  return [...figures].sort((a, b) => a - b)[Math.floor(figures.length / 2)] ?? 0;
}

function seconds(ms: number): number {
  return ms / 1000;
}
