import { randomBytes } from 'node:crypto';
import type { Timer } from '../base/clock.ts';
import type { Service } from '../base/service.ts';
import { formatAddress, type HostPort, isWildcardIp, parseAddress } from './address.ts';
import { AddressBook } from './address-book.ts';
import { Dialler } from './dialler.ts';
import { DnsSource } from './dns-source.ts';
import type { HandshakeContext, Handshaken } from './handshake.ts';
import { Heartbeat } from './heartbeat.ts';
import { LastKnown } from './last-known.ts';
import { PEER_LIMITS } from './limits.ts';
import { encodeMessage, Link, type LinkHost, type MessageBody } from './link.ts';
import type { RequestHandler, RequestOptions } from './link-requests.ts';
import { Listener } from './listener.ts';
import { PeerError } from './peer-error.ts';
import type { PeersOptions } from './peers-options.ts';
import { RefusalLog } from './refusal-log.ts';
import { Refused } from './refused.ts';
import { dialAddressesOf, Roster } from './roster.ts';
import { PeerStats } from './stats.ts';
import { TableSource } from './table-source.ts';
import type { Trust } from './trust.ts';
import { type Ability, type Hello, type LinkedMember, type MemberId, PROTOCOL_VERSION } from './types.ts';

/**
 * The members of a cluster, without elections: DNS says whom to dial, live authenticated links say who is alive, the
 * store's database says who may act. Losing members loses speed, never truth.
 *
 *     DNS, static list, table, file ─▶ AddressBook ─▶ Dialler ─┐
 *                                                              ├─ handshake (trust) ─▶ Roster of Links ─▶ members()
 *                              others that dial ─▶ Listener ───┘        │   ▲
 *                                                     hints, requests ◀─┘   └─ Heartbeat
 *
 * Nothing of it is waited for: `start` resolves as soon as the listener listens.
 */
export class Peers implements Service {
  readonly stats = new PeerStats();
  readonly book: AddressBook;
  readonly dialler: Dialler;
  readonly refusals: RefusalLog;
  readonly #options: PeersOptions;
  readonly #incarnation = randomBytes(8).toString('hex');
  readonly #roster: Roster;
  readonly #listener: Listener;
  readonly #heartbeat: Heartbeat;
  readonly #dns: readonly DnsSource[];
  readonly #lastKnown: LastKnown | undefined;
  readonly #table: TableSource | undefined;
  readonly #handlers = new Map<string, RequestHandler>();
  readonly #hintListeners: ((revision: number, from: Hello) => void)[] = [];
  readonly #messageListeners = new Map<string, (body: Buffer, from: Hello) => void>();
  readonly #changeListeners: (() => void)[] = [];
  readonly #linkHost: LinkHost;
  #port = 0;
  #ability: Ability = { isAble: true, reason: '' };
  #isStopping = false;
  #lonelySinceMs: number;
  #returnTimer: Timer | undefined;

  constructor(options: PeersOptions) {
    const { clock, random, logger, identity, trust } = options;
    this.#options = options;
    this.#lonelySinceMs = clock.monotonicMs();
    this.book = new AddressBook(clock);
    this.refusals = new RefusalLog(clock, logger, this.stats);
    this.#roster = new Roster({
      clock,
      selfId: identity.id,
      store: options.store,
      heartbeatMs: options.heartbeatMs,
    });
    this.#linkHost = this.#makeLinkHost();
    const context: HandshakeContext = {
      identity,
      trust,
      clock,
      hello: () => this.hello(),
      admit: (hello, remoteIp) => this.#admit(hello, remoteIp),
    };
    this.#listener = new Listener(
      context,
      {
        onHandshaken: (handshaken) => this.#onHandshaken(handshaken),
        onRefused: (remoteIp, refused) => this.refusals.note(remoteIp, refused),
      },
      clock,
    );
    this.dialler = new Dialler({
      book: this.book,
      context,
      clock,
      random,
      linksMax: options.linksMax,
      localIp: isWildcardIp(options.listen.ip) ? undefined : options.listen.ip,
      host: {
        isLinkedAt: (name) => this.#roster.links.some((link) => dialAddressesOf(link).includes(name)),
        isLinkedTo: (id) => this.#roster.linkTo(id) !== undefined,
        linkCount: () => this.#roster.size,
        onHandshaken: (handshaken) => this.#onHandshaken(handshaken),
        onRefused: ({ name }, refused) => this.refusals.note(name, refused),
      },
    });
    this.#heartbeat = new Heartbeat({
      clock,
      heartbeatMs: options.heartbeatMs,
      deadAfterMs: options.deadAfterMs,
      links: () => this.#roster.links,
      onPause: (pausedMs) => {
        this.stats.pauses.value++;
        logger.warn('this process stood still; members may have given up on it', { paused_ms: Math.round(pausedMs) });
      },
    });
    this.#dns = options.dns.map(({ host, source }) => this.#makeDnsSource(host, source));
    this.#table = this.#makeTableSource();
    this.#lastKnown =
      options.lastKnownFile === undefined ? undefined : new LastKnown(options.lastKnownFile, clock, logger);
  }

  /** Resolves when it listens, alone or not. Rejects with Failure when it cannot listen. */
  async start(): Promise<void> {
    const { listen, addresses, logger, identity, trust } = this.#options;
    this.#port = await this.#listener.listen(listen);
    this.book.setList('static', 'static', addresses);
    for (const address of this.#lastKnown?.read() ?? []) {
      this.book.addPassing(address, 'last-known', PEER_LIMITS.lastKnownKeptMs);
    }
    this.#table?.start();
    for (const dns of this.#dns) dns.start();
    this.#heartbeat.start();
    this.dialler.run();
    logger.info('peers: listening', { address: this.listening, id: identity.id, trust: trust.mode });
  }

  /** Takes leave of everybody. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.setAbility({ isAble: false, reason: 'draining' });
    this.#isStopping = true;
    this.#table?.stop();
    this.#returnTimer?.cancel();
    for (const dns of this.#dns) dns.stop();
    this.#heartbeat.stop();
    this.dialler.stop();
    this.#lastKnown?.flush();
    this.#listener.close();
    await Promise.all(this.#roster.links.map((link) => link.goodbye('draining')));
  }

  get id(): MemberId {
    return this.#options.identity.id;
  }

  /** As bound: port 0 has become a port. */
  get listening(): string {
    return formatAddress({ ip: this.#options.listen.ip, port: this.#port });
  }

  get ability(): Ability {
    return this.#ability;
  }

  get dns(): readonly DnsSource[] {
    return this.#dns;
  }

  get linksMax(): number {
    return this.#options.linksMax;
  }

  get trustMode(): Trust['mode'] {
    return this.#options.trust.mode;
  }

  /** Linked members, by id. */
  members(): readonly LinkedMember[] {
    return this.#roster.members();
  }

  /** Members whose link broke, without a leave, and who are not back. */
  lostMembers(): readonly Hello[] {
    return this.#roster.lost();
  }

  /** What we say of ourselves. */
  hello(): Hello {
    const { identity, listen, advertise } = this.#options;
    const own = isWildcardIp(listen.ip) ? [] : [this.listening];
    return {
      protocol: PROTOCOL_VERSION,
      cluster: this.#options.cluster,
      store: this.#options.store,
      id: identity.id,
      incarnation: this.#incarnation,
      version: this.#options.version,
      name: this.#options.name,
      addresses: advertise.length > 0 ? advertise : own,
      port: this.#port,
      clientUrls: this.#options.clientUrls,
      etcdMemberId: this.#options.etcdMemberId,
      ability: this.#ability,
      bootId: this.#options.bootId,
    };
  }

  setAbility(ability: Ability): void {
    if (ability.isAble === this.#ability.isAble && ability.reason === this.#ability.reason) return;
    this.#ability = ability;
    for (const link of this.#roster.links) link.sayAbility(ability);
    this.#changed();
  }

  /** Tells members of the same store that this revision exists, but for those told of more. Best effort. */
  hint(revision: number, told: readonly MemberId[] = []): void {
    for (const link of this.#roster.links) {
      if (link.hello.store !== this.#options.store || told.includes(link.hello.id)) continue;
      this.stats.hintsSent.value++;
      link.hint(revision);
    }
  }

  /** A member of the same store says that this revision exists: look when convenient. May be wrong, late or repeated. */
  onHint(listener: (revision: number, from: Hello) => void): void {
    this.#hintListeners.push(listener);
  }

  /** Linked members, their ability or ours have changed. */
  onChange(listener: () => void): void {
    this.#changeListeners.push(listener);
  }

  /** Asks one member. Rejects with PeerError; a member may be asked 32 things at a time. */
  async request(id: MemberId, kind: string, body: Uint8Array, options?: RequestOptions): Promise<Buffer> {
    const link = this.#roster.linkTo(id);
    if (link === undefined) throw new PeerError('not-linked', `member ${id.slice(0, 16)} is not linked`);
    return await link.request(kind, body, options);
  }

  /** Answers requests of a kind. What the handler throws goes to the asker as a reason: no secrets in it. */
  handle(kind: string, handler: RequestHandler): void {
    this.#handlers.set(kind, handler);
  }

  /** Tells members of something, put into words only if one is meant. A slow one misses it. Answers who is told. */
  tell(topic: string, body: () => MessageBody, isMeant: (member: Hello) => boolean = () => true): readonly MemberId[] {
    const links = this.#roster.links.filter(({ hello, isSlow }) => !isSlow && isMeant(hello));
    const encoded = links.length > 0 ? encodeMessage(topic, body()) : undefined;
    for (const link of links) if (encoded !== undefined) link.message(encoded);
    return links.map(({ hello }) => hello.id);
  }

  onMessage(topic: string, listener: (body: Buffer, from: Hello) => void): void {
    this.#messageListeners.set(topic, listener);
  }

  #admit(hello: Hello, remoteIp: string): void {
    if (this.#isStopping) throw new Refused('draining', 'about to stop');
    for (const name of dialAddressesOf({ hello, remoteIp })) {
      const expectedId = this.book.expectedAt(name);
      if (expectedId !== undefined && expectedId !== hello.id) {
        throw new Refused('key-mismatch', `DNS publishes another key for ${name}`);
      }
    }
    this.#roster.admit(hello, 'acceptor');
    // Twice as many as we seek ourselves: in a large fleet others' choices fall unevenly.
    if (this.#roster.size >= 2 * this.#options.linksMax && this.#roster.linkTo(hello.id) === undefined) {
      throw new Refused('full', `${this.#roster.size} links already`);
    }
  }

  #onHandshaken(handshaken: Handshaken): void {
    const { hello, side, channel } = handshaken;
    const link = new Link(handshaken, this.#linkHost);
    try {
      if (this.#isStopping) throw new Refused('draining', 'about to stop');
      this.#roster.admit(hello, side);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      void link.goodbye(error.message);
      if (error.code === 'draining') channel.destroy(error);
      return;
    }
    this.#takeIn(link);
    link.start();
    link.ping();
  }

  #takeIn(link: Link): void {
    const { hello, side } = link;
    const { clock, logger } = this.#options;
    const replaced = this.#roster.add(link);
    if (replaced !== undefined) {
      // Who dialled the one that stays closes the other: so it never sees a moment without a link.
      const close = (): void => void replaced.goodbye('another link took its place');
      if (side === 'dialler') close();
      else clock.after(PEER_LIMITS.goodbyeMs, close);
    }
    const [address] = dialAddressesOf(link);
    if (address !== undefined) this.book.addPassing(address, 'inbound', PEER_LIMITS.inboundKeptMs);
    if (replaced !== undefined && replaced.hello.incarnation === hello.incarnation) return;
    this.stats.linked.value++;
    logger.info('member linked', {
      member: hello.name,
      id: hello.id,
      address,
      dialled_by: side === 'dialler' ? 'us' : 'them',
    });
    if (side === 'acceptor' && address !== undefined) this.#introduce(link, address);
    this.#changed();
  }

  /** A newcomer dialled us: others may not have it on their lists yet. */
  #introduce(newcomer: Link, address: string): void {
    for (const link of this.#roster.links) if (link !== newcomer) link.introduce(address);
  }

  #makeLinkHost(): LinkHost {
    const { clock, logger, store } = this.#options;
    return {
      clock,
      handlerOf: (kind) => this.#handlers.get(kind),
      onHint: (link, revision) => {
        if (link.hello.store !== store) return;
        this.stats.hintsReceived.value++;
        for (const listener of this.#hintListeners) listener(revision, link.hello);
      },
      onAbility: () => this.#changed(),
      onIntroduction: (_, written) => {
        const address = parseAddress(written);
        if (address === undefined || this.#isStopping) return;
        this.stats.introductions.value++;
        const name = formatAddress(address);
        if (!this.book.addPassing(name, 'introduced', PEER_LIMITS.inboundKeptMs)) return;
        this.dialler.retryAt(name);
        this.dialler.run();
      },
      onMessage: (link, topic, body) => this.#messageListeners.get(topic)?.(body, link.hello),
      onEnd: (link, reason, said) => {
        if (!this.#roster.remove(link, said)) return;
        const { name, id } = link.hello;
        if (!said) this.stats.broken.value++;
        if (this.#isStopping) return;
        logger[said ? 'info' : 'warn'](said ? 'member left' : 'member lost', { member: name, id, reason });
        for (const address of dialAddressesOf(link)) {
          this.book.addPassing(address, 'inbound', PEER_LIMITS.inboundKeptMs);
          this.dialler.retryAt(address);
        }
        if (this.#roster.size === 0) {
          this.#lonelySinceMs = clock.monotonicMs();
          for (const dns of this.#dns) dns.hurry();
        }
        this.#changed();
      },
    };
  }

  #makeDnsSource(host: HostPort, source: 'dns' | 'static'): DnsSource {
    const { clock, random, logger, dnsServer } = this.#options;
    const name = `dns ${host.host}:${host.port}`;
    return new DnsSource({
      host,
      server: dnsServer,
      clock,
      random,
      logger,
      isLonely: () => this.#isLonely(),
      onAnswer: (addresses, keys) => {
        if (keys !== undefined) this.book.setKeys(name, keys);
        this.book.setList(name, source, addresses);
        this.dialler.run();
      },
    });
  }

  #isLonely(): boolean {
    return this.#roster.size === 0 && this.#options.clock.monotonicMs() - this.#lonelySinceMs < PEER_LIMITS.lonelyMs;
  }

  #makeTableSource(): TableSource | undefined {
    const { table, clock, logger } = this.#options;
    if (table === undefined) return undefined;
    const onAddresses = (addresses: readonly string[]): void => {
      this.book.setList('table', 'table', addresses);
      this.dialler.run();
    };
    return new TableSource({ table, clock, logger, hello: () => this.hello(), onAddresses });
  }

  #changed(): void {
    const { clock } = this.#options;
    if (!this.#isStopping) {
      this.#lastKnown?.note(this.#roster.links.flatMap((link) => dialAddressesOf(link).slice(0, 1)));
      this.dialler.run();
      this.#returnTimer?.cancel();
      const returnMs = this.#roster.nextReturnMs();
      if (returnMs !== undefined) this.#returnTimer = clock.after(returnMs + 1, () => this.#changed());
    }
    for (const listener of this.#changeListeners) listener();
  }
}
