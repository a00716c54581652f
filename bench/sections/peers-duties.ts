import { setTimeout as sleep } from 'node:timers/promises';
import { parsePostgresUrl } from '../../src/log/postgres/options.ts';
import { PostgresLog } from '../../src/log/postgres/postgres-log.ts';
import { EXPIRE_DUTIES } from '../../src/mvcc/duty-names.ts';
import type { PeersReport } from '../../src/peers/report.ts';
import { EtcdClient } from '../../test/support/client.ts';
import { hasPostgres, PostgresServer } from '../../test/support/postgres.ts';
import type { Finding } from '../finding.ts';
import { KedgeMember, peerFlags, secretFileIn } from '../members/kedge-fleet.ts';
import type { SectionContext } from './section.ts';

export const dutyMembers = 5;

const lookEveryMs = 10;
const ttlSeconds = 2;

/** A claim as the database has it. */
interface Claim {
  readonly duty: string;
  readonly by: string;
  /** By the clock of this process. */
  readonly atMs: number;
}

interface Replica {
  readonly member: KedgeMember;
  readonly endpoint: string;
}

/**
 * Replicas on one PostgreSQL that look after leases of all parts. Read off the very table that decides who acts: how long
 * the duties of one that dies or freezes are left undone, and whether others change hands. And off a watch: how much
 * later than their time leases end.
 */
export async function dutyFindings(context: SectionContext, ports: readonly number[]): Promise<Finding[]> {
  if (!hasPostgres()) return [];
  const { kedge, folder, progress } = context;
  progress('peers: replicas on PostgreSQL');
  const database = await PostgresServer.start({ settings: { max_connections: '120' } });
  const url = database.url(database.freshDatabase());
  const secretFile = secretFileIn(folder);
  const replicas: Replica[] = [];
  const started: KedgeMember[] = [];
  const log = new PostgresLog(parsePostgresUrl(url));
  try {
    const peerPort = ports.at(-1) ?? 0;
    const addresses = ports.map((_, i) => `127.0.4.${i + 1}:${peerPort}`);
    for (const [i, port] of ports.entries()) {
      const flags = [...peerFlags(i, peerPort, addresses, secretFile), `--store=${url}`];
      const member = new KedgeMember(`d${i}`, kedge, folder, port, flags);
      started.push(member);
      replicas.push({ member, endpoint: `127.0.0.1:${port}` });
    }
    await until(() => replicas.every(({ member }) => member.linked === replicas.length - 1));
    await log.open();
    await grant(
      replicas[0]?.endpoint ?? '',
      EXPIRE_DUTIES.map((_, part) => 16 + part),
      600,
    );
    const claims = new Claims(log);
    claims.watch();
    try {
      progress('peers: duties');
      await sleep(5000);
      const killed = await gapAfter('SIGKILL', replicas, claims);
      progress('peers: duties of a frozen owner');
      await sleep(3000);
      const frozen = await gapAfter('SIGSTOP', replicas, claims);
      return [
        finding('longest gap of a part of expire after SIGKILL of its owner', killed.gapMs, 1),
        {
          section: 'peers',
          what: 'duties that moved although their owner stayed',
          figure: killed.movedWithoutNeed,
          unit: '',
          bar: { text: 'none', isCleared: killed.movedWithoutNeed === 0 },
        },
        late('a lease of such a part ends after its TTL, the latest', killed.lateMs),
        finding('longest gap after a freeze', frozen.gapMs, 10),
        late('a lease of such a part ends after its TTL, the latest, after a freeze', frozen.lateMs),
      ];
    } finally {
      await claims.stop();
    }
  } finally {
    // The victims too, of which one is frozen.
    for (const member of started) {
      member.signal('SIGCONT');
      member.signal('SIGKILL');
    }
    await log.close();
    await database.dispose();
  }
}

/** Sends a signal to whoever has most parts, with leases in these that are about to end. */
async function gapAfter(signal: NodeJS.Signals, replicas: Replica[], claims: Claims) {
  const owners = new Map([...claims.last].filter(([duty]) => EXPIRE_DUTIES.includes(duty)));
  const counts = new Map<string, number>();
  for (const by of owners.values()) counts.set(by, (counts.get(by) ?? 0) + 1);
  const [victimId = ''] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [];
  const ids = await Promise.all(replicas.map(({ endpoint }) => idOf(endpoint)));
  const [victim] = replicas.splice(ids.indexOf(victimId), 1);
  const orphans = [...owners].filter(([, by]) => by === victimId).map(([duty]) => duty);
  const witness = replicas[0]?.endpoint ?? '';
  const { ended } = await endsOf(witness, orphans);
  const atMs = performance.now();
  victim?.member.signal(signal);
  await until(() => orphans.every((duty) => claims.firstByOther(duty, victimId, atMs) !== undefined));
  const gaps = orphans.map((duty) => (claims.firstByOther(duty, victimId, atMs) ?? 0) - claims.lastBy(duty, victimId));
  const lateMs = await ended;
  await sleep(1000);
  const moved = claims.all.filter(
    ({ duty, by, atMs: claimedAtMs }) =>
      claimedAtMs > atMs && owners.has(duty) && !orphans.includes(duty) && owners.get(duty) !== by,
  );
  return { gapMs: Math.max(...gaps), movedWithoutNeed: new Set(moved.map(({ duty }) => duty)).size, lateMs };
}

/** Grants leases; `ended` resolves when all have ended: by how much too late, the latest of them. */
async function endsOf(endpoint: string, parts: readonly string[]): Promise<{ readonly ended: Promise<number> }> {
  const client = new EtcdClient(endpoint);
  const stream = client.stream('Watch/Watch');
  stream.send({ create_request: { key: Buffer.from('lease/'), range_end: Buffer.from('lease0') } });
  await stream.take();
  const dueMs = new Map<string, number>();
  for (const part of parts) {
    const id = String(Math.floor(Math.random() * 2 ** 40) * 16 + EXPIRE_DUTIES.indexOf(part));
    await client.call('Lease/LeaseGrant', { ID: id, TTL: ttlSeconds });
    dueMs.set(`lease/${id}`, performance.now() + ttlSeconds * 1000);
    await client.call('KV/Put', { key: Buffer.from(`lease/${id}`), value: Buffer.from('v'), lease: id });
  }
  const untilAll = async (): Promise<number> => {
    let lateMs = 0;
    while (dueMs.size > 0) {
      const { events = [] } = await stream.take(60_000);
      for (const { type, kv } of events) {
        const key = kv?.key.toString() ?? '';
        if (type !== 'DELETE') continue;
        lateMs = Math.max(lateMs, performance.now() - (dueMs.get(key) ?? 0));
        dueMs.delete(key);
      }
    }
    client.close();
    return lateMs;
  };
  return { ended: untilAll() };
}

async function grant(endpoint: string, ids: readonly number[], ttl: number): Promise<void> {
  const client = new EtcdClient(endpoint);
  for (const id of ids) await client.call('Lease/LeaseGrant', { ID: String(id), TTL: ttl });
  client.close();
}

async function idOf(endpoint: string): Promise<string> {
  return ((await (await fetch(`http://${endpoint}/peers`)).json()) as PeersReport).self.id;
}

/** What the table of claims told, asked again and again. */
class Claims {
  readonly all: Claim[] = [];
  /** Duty → who claimed it last. */
  readonly last = new Map<string, string>();
  readonly #epochs = new Map<string, number>();
  readonly #log: PostgresLog;
  #isStopped = false;
  #watching: Promise<void> = Promise.resolve();

  constructor(log: PostgresLog) {
    this.#log = log;
  }

  watch(): void {
    this.#watching = this.#look();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#watching;
  }

  lastBy(duty: string, id: string): number {
    return this.all.findLast((claim) => claim.duty === duty && claim.by === id)?.atMs ?? 0;
  }

  firstByOther(duty: string, id: string, sinceMs: number): number | undefined {
    return this.all.find((claim) => claim.duty === duty && claim.by !== id && claim.atMs > sinceMs)?.atMs;
  }

  async #look(): Promise<void> {
    while (!this.#isStopped) {
      const records = await this.#log.readDuties();
      const nowMs = performance.now();
      for (const { duty, epoch, holder, ageMs } of records) {
        if (this.#epochs.get(duty) === epoch) continue;
        this.#epochs.set(duty, epoch);
        this.last.set(duty, holder);
        this.all.push({ duty, by: holder, atMs: nowMs - ageMs });
      }
      await sleep(lookEveryMs);
    }
  }
}

async function until(holds: () => boolean): Promise<void> {
  const giveUpAtMs = performance.now() + 60_000;
  while (!holds()) {
    if (performance.now() > giveUpAtMs) throw new Error('peers: duties did not get there within a minute');
    await sleep(5);
  }
}

function finding(what: string, ms: number, maxSeconds: number): Finding {
  const bar = { text: `under ${maxSeconds} s`, isCleared: ms < maxSeconds * 1000 };
  return { section: 'peers', what, figure: ms / 1000, unit: 's', bar };
}

function late(what: string, ms: number): Finding {
  return { section: 'peers', what, figure: ms / 1000, unit: 's' };
}
