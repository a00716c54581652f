import { connect as connectSocket, isIPv6 } from 'node:net';
import { connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import type { Random } from '../base/chance.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { AddressBook, Candidate } from './address-book.ts';
import { type HandshakeContext, type Handshaken, PEER_ALPN, shakeHands } from './handshake.ts';
import { PEER_LIMITS } from './limits.ts';
import { isHarmless, Refused } from './refused.ts';
import { rendezvousWeight } from './rendezvous.ts';
import type { MemberId } from './types.ts';

/** What the dialler needs to know of everything else. */
export interface DiallerHost {
  /** Addresses at which a linked member says it can be dialled. */
  isLinkedAt(name: string): boolean;
  isLinkedTo(id: MemberId): boolean;
  /** Links that stand. */
  linkCount(): number;
  onHandshaken(handshaken: Handshaken, candidate: Candidate): void;
  onRefused(candidate: Candidate, refused: Refused): void;
}

/** What is known of one address. */
export interface Attempt {
  failures: number;
  retryAtMs: number;
  isDialling: boolean;
  /** Who answered last. */
  id: MemberId | undefined;
  isSelf: boolean;
  refused: { readonly code: Refused['code']; readonly reason: string; readonly atMs: number } | undefined;
}

/**
 * Dials every address of the book that nobody linked is known at, until there are --peer-max links: not a fixed first
 * few, for those may be the dead ones. Of a fleet larger than that each member dials its own choice, so that none is
 * dialled by all. What fails is tried again later and later; what is not listed any more is not tried again.
 */
export class Dialler {
  readonly #options: DiallerOptions;
  readonly #attempts = new Map<string, Attempt>();
  /** Our key and certificate, read once for all connections. */
  readonly #secureContext: SecureContext;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(options: DiallerOptions) {
    this.#options = options;
    const { identity, trust } = options.context;
    this.#secureContext = createSecureContext({
      key: identity.privateKey,
      cert: identity.certificate,
      ...(trust.ca === undefined ? {} : { ca: trust.ca }),
      minVersion: 'TLSv1.3',
    });
  }

  /** Looks for something to dial, now and whenever something is due. Call it when addresses or links have changed. */
  run(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#isStopped) return;
    const candidates = this.#options.book.candidates();
    this.#forgetAbsent(candidates);
    const nowMs = this.#options.clock.monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    const due: { readonly candidate: Candidate; readonly attempt: Attempt }[] = [];
    for (const candidate of this.#inOrder(candidates)) {
      const attempt = this.#attemptAt(candidate.name);
      if (attempt.isDialling || this.#isLinked(candidate, attempt)) continue;
      if (attempt.retryAtMs > nowMs) nextMs = Math.min(nextMs, attempt.retryAtMs);
      else due.push({ candidate, attempt });
    }
    // Who waits longest first, and before all who was never dialled: dead ones in front would take every turn.
    due.sort((a, b) => a.attempt.retryAtMs - b.attempt.retryAtMs);
    for (const { candidate, attempt } of due) if (this.#hasRoom()) void this.#dial(candidate, attempt);
    if (nextMs < Number.POSITIVE_INFINITY) this.#timer = this.#options.clock.after(nextMs - nowMs, () => this.run());
  }

  /** What is new there: forget that it failed. */
  retryAt(name: string): void {
    const attempt = this.#attempts.get(name);
    if (attempt === undefined || attempt.isSelf) return;
    attempt.failures = 0;
    attempt.retryAtMs = 0;
  }

  stateAt(name: string): Readonly<Attempt> | undefined {
    return this.#attempts.get(name);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  get #dialling(): number {
    let count = 0;
    for (const { isDialling } of this.#attempts.values()) if (isDialling) count++;
    return count;
  }

  #hasRoom(): boolean {
    const dialling = this.#dialling;
    return dialling < PEER_LIMITS.dialsMax && this.#options.host.linkCount() + dialling < this.#options.linksMax;
  }

  #isLinked({ name }: Candidate, { id }: Attempt): boolean {
    const { host } = this.#options;
    return host.isLinkedAt(name) || (id !== undefined && host.isLinkedTo(id));
  }

  #inOrder(candidates: readonly Candidate[]): readonly Candidate[] {
    if (candidates.length <= this.#options.linksMax) return candidates;
    const { id } = this.#options.context.identity;
    const weights = new Map(candidates.map(({ name }) => [name, rendezvousWeight(name, id)]));
    return [...candidates].sort((a, b) => (weights.get(b.name) ?? 0) - (weights.get(a.name) ?? 0));
  }

  #forgetAbsent(candidates: readonly Candidate[]): void {
    const names = new Set(candidates.map(({ name }) => name));
    for (const [name, { isDialling }] of this.#attempts) {
      if (!names.has(name) && !isDialling) this.#attempts.delete(name);
    }
  }

  #attemptAt(name: string): Attempt {
    let attempt = this.#attempts.get(name);
    if (attempt === undefined) {
      attempt = { failures: 0, retryAtMs: 0, isDialling: false, id: undefined, isSelf: false, refused: undefined };
      this.#attempts.set(name, attempt);
    }
    return attempt;
  }

  async #dial(candidate: Candidate, attempt: Attempt): Promise<void> {
    const { clock, host, context } = this.#options;
    attempt.isDialling = true;
    try {
      const socket = await this.#connect(candidate);
      const handshaken = await shakeHands(socket, 'dialler', context, candidate.expectedId);
      attempt.id = handshaken.hello.id;
      attempt.isSelf = false;
      attempt.failures = 0;
      attempt.refused = undefined;
      // Once the link is gone, not in the same breath.
      attempt.retryAtMs = clock.monotonicMs() + this.#spread(PEER_LIMITS.dialRetryMinMs);
      attempt.isDialling = false;
      if (this.#isStopped) handshaken.channel.destroy(new Refused('draining', 'stopping'));
      else host.onHandshaken(handshaken, candidate);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#noteFailure(candidate, attempt, error);
      attempt.isDialling = false;
      if (!this.#isStopped) host.onRefused(candidate, error);
    }
    this.run();
  }

  #noteFailure(candidate: Candidate, attempt: Attempt, refused: Refused): void {
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    attempt.isSelf = refused.code === 'self';
    // Another address of somebody linked: not to be dialled while that link stands.
    if (refused.code === 'duplicate') attempt.id = refused.provenId;
    attempt.failures++;
    attempt.refused = isHarmless(refused.code)
      ? undefined
      : { code: refused.code, reason: refused.message, atMs: clock.wallMs() };
    attempt.retryAtMs = nowMs + this.#spread(delayAfter(candidate, refused, attempt.failures));
  }

  /** Apart by a fifth, so that those who were cut off together do not come back in step. */
  #spread(delayMs: number): number {
    return delayMs * (0.9 + 0.2 * this.#options.random());
  }

  /** A TLS connection whose other end has shown its key. Rejects with Refused. */
  #connect({ address }: Candidate): Promise<TLSSocket> {
    const { clock, localIp } = this.#options;
    // As the address that we listen at, where it is one: others tell members apart by it.
    const isSameFamily = localIp !== undefined && isIPv6(localIp) === isIPv6(address.ip);
    const raw = connectSocket({
      host: address.ip,
      port: address.port,
      noDelay: true,
      ...(isSameFamily ? { localAddress: localIp } : {}),
    });
    return new Promise((resolve, reject) => {
      let phase: 'unreachable' | 'tls' = 'unreachable';
      let tls: TLSSocket | undefined;
      const limit = clock.after(PEER_LIMITS.connectMs, () => fail(`no connection within ${PEER_LIMITS.connectMs} ms`));
      const fail = (reason: string): void => {
        limit.cancel();
        tls?.destroy();
        raw.destroy();
        reject(new Refused(phase, reason));
      };
      raw.once('connect', () => {
        phase = 'tls';
        tls = connectTls({
          socket: raw,
          secureContext: this.#secureContext,
          // The handshake decides, and says why.
          rejectUnauthorized: false,
          // Members are known by key or role, not by where they are.
          checkServerIdentity: () => undefined,
          ALPNProtocols: [PEER_ALPN],
        });
        tls.on('error', (error) => fail(error.message));
        tls.once('close', () => fail('closed during the TLS handshake'));
        tls.once('secureConnect', () => {
          limit.cancel();
          if (tls !== undefined) resolve(tls);
        });
      });
      raw.on('error', (error) => fail(error.message));
    });
  }
}

export interface DiallerOptions {
  readonly book: AddressBook;
  readonly context: HandshakeContext;
  readonly host: DiallerHost;
  readonly clock: Clock;
  readonly random: Random;
  readonly linksMax: number;
  /** To dial from; undefined: as the machine routes. */
  readonly localIp: string | undefined;
}

function delayAfter({ sources }: Candidate, { code }: Refused, failures: number): number {
  if (code === 'self') return PEER_LIMITS.selfRetryMs;
  const isHearsay = sources.every((source) => source === 'table' || source === 'last-known');
  const maxMs = isHearsay ? PEER_LIMITS.hearsayRetryMaxMs : PEER_LIMITS.dialRetryMaxMs;
  const growing = Math.min(PEER_LIMITS.dialRetryMinMs * 2 ** Math.min(failures - 1, 20), maxMs);
  const isPassing = code === 'unreachable' || code === 'duplicate' || code === 'timeout' || code === 'rate';
  return isPassing || code === 'not-in-table' || code === 'draining'
    ? growing
    : Math.max(growing, PEER_LIMITS.refusedRetryMs);
}
