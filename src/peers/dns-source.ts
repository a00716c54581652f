import type { Random } from '../base/chance.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { type Address, formatAddress, type HostPort } from './address.ts';
import { type DnsView, lookUp } from './dns-lookup.ts';
import { PEER_LIMITS } from './limits.ts';

/** How one name stands, for people and metrics. */
export interface DnsState {
  readonly name: string;
  readonly addresses: number;
  /** Since the last answer with addresses; undefined: there was none yet. */
  readonly ageMs: number | undefined;
  /** Why the last question failed; empty when it did not. */
  readonly failure: string;
}

/**
 * Asks for one name again and again, as often as its records' time to live says, within bounds; oftener while this
 * member is alone. An answer without addresses, or none at all, changes nothing: DNS forgets sooner than members die.
 */
export class DnsSource {
  readonly #options: DnsSourceOptions;
  #timer: Timer | undefined;
  #isStopped = false;
  #failures = 0;
  #failure = '';
  #answeredAtMs: number | undefined;
  #addresses = 0;

  constructor(options: DnsSourceOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#poll();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** The last link is gone: look whether there is somebody else, rather sooner. */
  hurry(): void {
    if (this.#timer === undefined || this.#isStopped) return;
    this.#timer.cancel();
    this.#again(PEER_LIMITS.dnsPollMinMs);
  }

  get state(): DnsState {
    const { clock, host } = this.#options;
    const ageMs = this.#answeredAtMs === undefined ? undefined : clock.monotonicMs() - this.#answeredAtMs;
    return { name: formatHost(host), addresses: this.#addresses, ageMs, failure: this.#failure };
  }

  async #poll(): Promise<void> {
    const { host, server, clock } = this.#options;
    this.#timer = undefined;
    let view: DnsView | undefined;
    try {
      view = await lookUp(host.host, server, clock);
    } catch (error) {
      this.#note(error instanceof Error ? error.message : String(error));
    }
    if (this.#isStopped) return;
    if (view !== undefined) this.#take(view);
    this.#again(
      pollDelayMs({
        ttlSeconds: view?.ttlSeconds ?? 0,
        failures: this.#failures,
        isLonely: this.#options.isLonely(),
        random: this.#options.random,
      }),
    );
  }

  #take(view: DnsView): void {
    const { host, clock, onAnswer } = this.#options;
    if (view.ips.length === 0) {
      this.#note(`${host.host} has no addresses now`);
      return;
    }
    if (this.#failures > 0) this.#options.logger.info('DNS answers again', { name: formatHost(host) });
    this.#failures = 0;
    this.#failure = '';
    this.#answeredAtMs = clock.monotonicMs();
    this.#addresses = view.ips.length;
    onAnswer(
      view.ips.map((ip) => formatAddress({ ip, port: host.port })),
      view.keys,
    );
  }

  /** Said once per spell: it may last for days. */
  #note(reason: string): void {
    this.#failures++;
    this.#failure = reason;
    if (this.#failures > 1) return;
    this.#options.logger.warn('DNS has no answer; the members known so far stay', {
      name: formatHost(this.#options.host),
      reason,
    });
  }

  #again(delayMs: number): void {
    this.#timer = this.#options.clock.after(delayMs, () => void this.#poll());
  }
}

export interface DnsSourceOptions {
  readonly host: HostPort;
  /** Undefined: those of /etc/resolv.conf. */
  readonly server: Address | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  isLonely(): boolean;
  /** `ip:port` each; `keys` undefined: as before. */
  onAnswer(addresses: readonly string[], keys: ReadonlyMap<string, string> | undefined): void;
}

/** When to ask again: when the records have run out, within 1 s and 30 s; a failure doubles it; alone, each second. */
export function pollDelayMs(after: {
  readonly ttlSeconds: number;
  readonly failures: number;
  readonly isLonely: boolean;
  readonly random: Random;
}): number {
  const { dnsPollMinMs: min, dnsPollMaxMs: max } = PEER_LIMITS;
  const asked = after.failures > 0 ? min * 2 ** Math.min(after.failures - 1, 10) : after.ttlSeconds * 1000;
  const delayMs = after.isLonely ? min : Math.min(Math.max(asked, min), max);
  const spread = 0.2 * after.random();
  // Rather later than sooner: the server would answer from its cache what we know.
  return delayMs * (1 + spread) <= max ? delayMs * (1 + spread) : max * (1 - spread);
}

function formatHost({ host, port }: HostPort): string {
  return `${host}:${port}`;
}
