import { join } from 'node:path';
import type { Family } from '../admin/exposition.ts';
import { json, methodNotAllowed, notFound } from '../admin/http-answers.ts';
import { peerFamilies } from '../admin/peer-families.ts';
import type { Random } from '../base/chance.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { UsageError } from '../base/usage-error.ts';
import type { OtherMember } from '../etcd/cluster.ts';
import { encodedBytes, writeBatch } from '../mvcc/batch-codec.ts';
import { type CommitTold, decodeTold, encodeTold } from '../mvcc/commit-told.ts';
import type { DutyRule, DutyState } from '../mvcc/duty.ts';
import type { AppendListener, ChangeMessages } from '../mvcc/log.ts';
import type { Revision } from '../mvcc/types.ts';
import { formatAddress, shortIp } from '../peers/address.ts';
import { PeerDutyRule } from '../peers/duty-rule.ts';
import { HintSender } from '../peers/hint-sender.ts';
import { type Identity, identityFromFiles, loadIdentity } from '../peers/identity.ts';
import { PEER_LIMITS } from '../peers/limits.ts';
import { KnownMembers } from '../peers/member-table.ts';
import { arePeersOn, peerListenOf } from '../peers/options.ts';
import { Peers } from '../peers/peers.ts';
import { peersReport } from '../peers/peers-report.ts';
import type { PeersReport } from '../peers/report.ts';
import { caTrust, loopbackTrust, secretTrust, storeTrust, type Trust } from '../peers/trust.ts';
import type { Hello } from '../peers/types.ts';
import type { HttpHandler, HttpResponse } from '../wire/http.ts';
import type { ServeOptions } from './options.ts';
import { RecordMemberTable, type RecordStore } from './record-member-table.ts';

/**
 * Joins the peers to the store and to what shows them. A hint goes out with every commit of our own, and one that comes
 * in has the store look:
 *
 *     commit ─▶ Store ─▶ onCommit ─▶ Peers.hint ─▶ … ─▶ the other's Peers.onHint ─▶ Store.poke ─▶ Follower reads the log
 *
 * Batches go to replicas ahead of their commits, and where the database does not tell of those, so does its answer
 * (mvcc/told-commits.ts):
 *
 *     append ─▶ Store ─▶ onAppend ─▶ Peers.tell ─▶ … ─▶ the other's Peers.onMessage ─▶ Store.takeAhead
 *     commit ─▶ Store ─▶ onCommit ─▶ Peers.tell ─▶ … ─▶ the other's Peers.onMessage ─▶ Store.told
 *
 * Who of those that share a database runs which duty follows from who is linked. A store of its own runs its own.
 */
export interface PeerJoining {
  readonly peers: Peers;
  readonly families: readonly Family[];
  /** By the first part of their path. */
  readonly pages: Readonly<Record<string, HttpHandler>>;
  /** For MemberList: those that serve the same store. */
  otherMembers(): readonly OtherMember[];
  /** `https://ip:port` each. */
  peerUrls(): readonly string[];
  /** Resolves when it listens: nothing waits for another member. Rejects with Failure. */
  start(): Promise<void>;
  /** Duties go to others from now on. */
  drain(): void;
  stop(): Promise<void>;
}

export interface PeerJoiningContext {
  readonly options: ServeOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly version: string;
  readonly store: JoinedStore;
  /** The listener hears of each commit of the store's own. */
  onCommit(listener: (commit: CommitTold) => void): void;
  /** The listener hears of each batch of the store's own as it is sent to the log. */
  onAppend(listener: AppendListener): void;
  /** The database behind a store that others write too; undefined: there is none. */
  readonly database: { readonly stats: { readonly breakerState: { readonly value: number } } } | undefined;
  readonly clientUrls: readonly string[];
  /** Of the machine's present start. */
  readonly bootId: string | undefined;
}

/** What of the store concerns peers. */
export interface JoinedStore extends RecordStore {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** As Follower.logTells. */
  readonly logTells: boolean;
  poke(revision: Revision): void;
  told(commit: CommitTold): void;
  takeAhead(batch: Buffer): void;
  useDutyRule(rule: DutyRule): void;
  dutiesChanged(): void;
  dutyStates(): readonly DutyState[];
  refreshDuties(): Promise<void>;
}

/** Topics of messages. */
const BATCH = 'batch';
const COMMIT = 'commit';
/** How often it is looked whether the database is there. */
const DATABASE_LOOK_MS = 1000;
/** Between two hints, where the database tells of commits: who gets one waits that long for its word before he asks. */
const HINT_MS_TOLD = 50;
/** DatabaseStats.breakerState: calls go through. */
const BREAKER_CLOSED = 0;

/** Undefined when no flag asks for peers. Throws UsageError or Failure. */
export function joinPeers(context: PeerJoiningContext): PeerJoining | undefined {
  const { options, store, database, clock, random, logger } = context;
  if (!arePeersOn(options)) {
    noteIdleFlags(options, logger);
    return undefined;
  }
  const storeId = hex(store.clusterId);
  const records = new RecordMemberTable(store);
  const table = database === undefined ? undefined : new KnownMembers(records, clock, logger);
  const folder = join(options.dataDir, 'peers');
  const names = options.peer.map((host) => ({ host, ip: shortIp(host.host) }));
  const peers = new Peers({
    clock,
    random,
    logger,
    identity: identityOf(options, folder),
    trust: trustOf(options, table),
    listen: peerListenOf(options),
    advertise: options.peerAdvertise.map(formatAddress),
    cluster: options.peerCluster === '' ? storeId : options.peerCluster,
    store: storeId,
    name: options.name,
    version: context.version,
    clientUrls: context.clientUrls,
    etcdMemberId: hex(store.memberId),
    bootId: context.bootId,
    dns: [
      ...options.peerDns.map((host) => ({ host, source: 'dns' as const })),
      ...names.filter(({ ip }) => ip === undefined).map(({ host }) => ({ host, source: 'static' as const })),
    ],
    dnsServer: options.peerDnsServer,
    addresses: names.flatMap(({ host, ip }) => (ip === undefined ? [] : [formatAddress({ ip, port: host.port })])),
    lastKnownFile: join(folder, 'last-known.json'),
    table,
    linksMax: options.peerMax,
    heartbeatMs: options.peerHeartbeat,
    deadAfterMs: options.peerDeadAfter,
  });
  peers.onHint((revision) => store.poke(revision));
  const rarely = new HintSender(clock, HINT_MS_TOLD, (revision) => peers.hint(revision));
  if (database === undefined) context.onCommit(({ cursor }) => peers.hint(cursor.revision));
  else {
    tellReplicas(peers, rarely, records, context);
    store.useDutyRule(new PeerDutyRule(peers));
    peers.onChange(() => store.dutiesChanged());
  }

  let looking: Timer | undefined;
  let isDraining = false;
  const tellAbility = (): void => {
    const isAway = database !== undefined && database.stats.breakerState.value !== BREAKER_CLOSED;
    const reason = isDraining ? 'draining' : isAway ? 'its database does not answer' : '';
    peers.setAbility({ isAble: reason === '', reason });
  };
  const look = (): void => {
    tellAbility();
    looking = clock.after(DATABASE_LOOK_MS, look);
  };
  const report = () => peersReport(peers, store.dutyStates());
  const freshReport = async () => {
    await store.refreshDuties();
    return report();
  };
  return {
    peers,
    families: peerFamilies({ stats: peers.stats, report }),
    pages: { peers: ({ path, method }) => page(path, method, freshReport) },
    otherMembers: () => otherMembers(peers, store.memberId),
    peerUrls: () => {
      const { addresses, port } = peers.hello();
      return (addresses.length > 0 ? addresses : [`localhost:${port}`]).map((address) => `https://${address}`);
    },
    async start() {
      await peers.start();
      if (database !== undefined) look();
    },
    drain() {
      isDraining = true;
      tellAbility();
    },
    async stop() {
      looking?.cancel();
      rarely.stop();
      await peers.stop();
    },
  };
}

/**
 * Each batch goes to the other replicas while it goes to the database, which then need not tell them what is in it. Where
 * that tells of commits by itself, a hint now and then is for the case that it has not (Follower.hint). Only those count
 * as replicas that stand in the store's own table: whoever wrote himself in there may read and write it all.
 */
function tellReplicas(
  peers: Peers,
  rarely: HintSender,
  table: RecordMemberTable,
  { store, onAppend, onCommit, logger }: PeerJoiningContext,
): void {
  const isReplica = ({ id }: Hello): boolean => table.has(id);
  onAppend((batch) => {
    const bytesMax = encodedBytes(batch);
    if (bytesMax > PEER_LIMITS.messageBytesMax) return undefined;
    let messages: ChangeMessages | undefined;
    const write = (to: Buffer, at: number): number => {
      const written = writeBatch(to, at, batch);
      messages = written.messages;
      return written.end;
    };
    peers.tell(BATCH, () => ({ bytesMax, write }), isReplica);
    return messages;
  });
  onCommit((commit) => {
    const { revision } = commit.cursor;
    if (store.logTells) rarely.hint(revision);
    else {
      const told = peers.tell(COMMIT, () => Buffer.from(encodeTold(commit)), isReplica);
      peers.hint(revision, told);
    }
  });
  const onMessage = (topic: string, take: (body: Buffer) => void): void =>
    peers.onMessage(topic, (body, from) => {
      if (!isReplica(from)) return;
      try {
        take(body);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        logger.warn(`a member sent what is no ${topic}`, { member: from.name, id: from.id, problem: error.message });
      }
    });
  onMessage(BATCH, (body) => store.takeAhead(body));
  onMessage(COMMIT, (body) => {
    const commit = decodeTold(body.toString('latin1'));
    if (commit === undefined) throw new RangeError(`${body.length} bytes that name none`);
    store.told(commit);
  });
}

/** GET /peers. */
async function page(path: string, method: string, report: () => Promise<PeersReport>): Promise<HttpResponse> {
  if (path !== '/peers') return notFound();
  return method === 'GET' ? json(JSON.stringify(await report())) : methodNotAllowed();
}

/** Manifests written for etcd bring certificates for peers; by themselves they turn nothing on. */
function noteIdleFlags(
  { peerCertFile, peerKeyFile, peerTrustedCaFile, peerSecretFile }: ServeOptions,
  logger: Logger,
): void {
  if ([peerCertFile, peerKeyFile, peerTrustedCaFile, peerSecretFile].every((file) => file === '')) return;
  logger.info('peers are off: certificates and secrets for them are not used', {
    remedy: '--peer-listen, --peer-dns or --peer turn them on',
  });
}

function otherMembers(peers: Peers, ownId: bigint): OtherMember[] {
  const taken = new Set([BigInt.asUintN(64, ownId)]);
  return peers
    .members()
    .filter(({ hasSameStore }) => hasSameStore)
    .map(({ id, hello, address }) => {
      const said = BigInt(`0x${hello.etcdMemberId}`);
      // Replicas of one database may share its id; clients tell members apart by it.
      const own = taken.has(said) ? BigInt(`0x${id.slice(0, 16)}`) : said;
      taken.add(own);
      return { id: own, name: hello.name, peerUrls: [`https://${address}`], clientUrls: hello.clientUrls };
    });
}

function identityOf(options: ServeOptions, folder: string): Identity {
  if (options.peerTrust !== 'ca') return loadIdentity(folder);
  return identityFromFiles(options.peerCertFile, options.peerKeyFile);
}

function trustOf(options: ServeOptions, table: KnownMembers | undefined): Trust {
  switch (options.peerTrust) {
    case 'secret':
      return secretTrust(options.peerSecretFile);
    case 'ca':
      return caTrust(options.peerTrustedCaFile, options.peerCertAllowedHostname);
    case 'loopback':
      return loopbackTrust;
    case 'store':
      if (table !== undefined) return storeTrust(table);
      throw new UsageError('--peer-trust store: only a shared database has a table of members; use secret or ca');
  }
}

function hex(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16);
}
