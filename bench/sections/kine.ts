import { hasMariadb, MariadbServer } from '../../test/support/mariadb.ts';
import { hasPostgres, PostgresServer } from '../../test/support/postgres.ts';
import { Loop } from '../load/loop.ts';
import { measure } from '../load/measure.ts';
import { shapeOf, type Workload } from '../load/workload.ts';
import { Peer } from '../peers/peer.ts';
import { kineProgram, onStore } from '../peers/programs.ts';
import { median } from '../rounds.ts';
import { GetWorkload } from '../workloads/get.ts';
import { TxnCreateWorkload, TxnUpdateWorkload } from '../workloads/txn.ts';
import type { Section, SectionContext } from './section.ts';

/*
 * kedge beside kine: each on a database of its own in the same server, asked the same in turn. What is asked is what
 * kube-apiserver asks: kine knows no other writes.
 */

const inFlight = 64;
/** Few, so that every one of them is there by the time it is got. */
const updatedKeys = 2 * inFlight;
const valueBytes = 512;

/** A server with room for two. */
interface Server {
  readonly kedgeUrl: string;
  /** As kine's --endpoint takes it. */
  readonly kineEndpoint: string;
  dispose(): Promise<void>;
}

const engines = [
  { name: 'postgres', server: 'PostgreSQL', isThere: hasPostgres, start: startPostgres },
  { name: 'mariadb', server: 'MariaDB', isThere: hasMariadb, start: startMariadb },
] as const;

export const kineSections: readonly Section[] = engines.map(({ name, server, isThere, start }) => ({
  name: `${name}-kine`,
  summary: `kedge and kine on one ${server}: needs --peer-kine`,
  isLong: true,
  run: async (context) => {
    if (context.kine === undefined || !isThere()) return [];
    const database = await start();
    try {
      await compare(`${name}-kine`, database, context.kine, context);
    } finally {
      await database.dispose();
    }
    return [];
  },
}));

async function compare(
  section: string,
  { kedgeUrl, kineEndpoint }: Server,
  kine: string,
  { kedge, folder, pace, progress, tell }: SectionContext,
): Promise<void> {
  progress(`${section}: starting both`);
  const programs = [onStore(kedge, kedgeUrl, 'replica-1'), kineProgram(kine, kineEndpoint)];
  const peers: Peer[] = [];
  try {
    for (const program of programs) peers.push(await Peer.start(program, folder));
    for (const { what, perPeer } of workloads()) {
      progress(`${section}: ${what}`);
      const [ours = 0, theirs = 0] = await alternate(peers, peers.map(perPeer), pace);
      tell({
        section,
        what: `${what}, ${inFlight} in flight`,
        figure: ours,
        unit: '/s',
        against: { what: 'kine', figure: theirs },
        bar: { text: 'more than kine', isCleared: ours > theirs },
      });
    }
  } finally {
    for (const peer of peers) await peer.remove();
  }
}

/** Each peer has its own, which goes on from round to round. */
function workloads(): readonly { readonly what: string; perPeer(): () => Workload }[] {
  return [
    {
      what: 'creations',
      perPeer: () => {
        // Keys beyond those that are updated.
        let last = new TxnCreateWorkload(updatedKeys, valueBytes);
        return () => {
          last = new TxnCreateWorkload(last.nextKey, valueBytes);
          return last;
        };
      },
    },
    {
      what: 'updates',
      perPeer: () => {
        const revisions = new Float64Array(updatedKeys);
        return () => new TxnUpdateWorkload(revisions, inFlight, valueBytes);
      },
    },
    // Of what the updates have made.
    { what: 'gets', perPeer: () => () => new GetWorkload(updatedKeys, valueBytes) },
  ];
}

/** Medians of rates, one round after the other on each. */
async function alternate(
  peers: readonly Peer[],
  next: readonly (() => Workload)[],
  { rounds, secondsPerRound }: SectionContext['pace'],
): Promise<number[]> {
  const rates = peers.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [i, peer] of peers.entries()) {
      const workload = next[i]?.();
      if (workload === undefined) continue;
      const measured = await measure(peer, (port) => Loop.open(port, shapeOf(inFlight), workload), secondsPerRound);
      if (measured.errors > 0) throw new Error(`${peer.program.name}: ${measured.firstError}`);
      rates[i]?.push(measured.rate);
    }
  }
  return rates.map(median);
}

async function startPostgres(): Promise<Server> {
  const server = await PostgresServer.start();
  return {
    kedgeUrl: server.url(server.freshDatabase()),
    kineEndpoint: `postgres://kedge@127.0.0.1:${server.port}/kine?sslmode=disable`,
    dispose: () => server.dispose(),
  };
}

async function startMariadb(): Promise<Server> {
  const server = await MariadbServer.start();
  return {
    kedgeUrl: server.url(server.freshDatabase()),
    kineEndpoint: `mysql://root@tcp(127.0.0.1:${server.port})/kine`,
    dispose: () => server.dispose(),
  };
}
