import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { parseAddress } from './address.ts';
import { PEER_LIMITS } from './limits.ts';

/**
 * The addresses of members that were linked last, in a file: for a start without DNS. It holds no trust: whoever answers
 * there proves itself as everybody does. A file that cannot be read is as good as none, one that cannot be written costs
 * a line in the log.
 */
export class LastKnown {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #written = '';
  #timer: Timer | undefined;
  #pending: readonly string[] = [];

  constructor(file: string, clock: Clock, logger: Logger) {
    this.#file = file;
    this.#clock = clock;
    this.#logger = logger;
  }

  read(): readonly string[] {
    try {
      const value: unknown = JSON.parse(readFileSync(this.#file, 'utf8'));
      if (typeof value !== 'object' || value === null || !('addresses' in value)) return [];
      const { addresses } = value;
      if (!Array.isArray(addresses)) return [];
      return addresses
        .filter((address: unknown) => typeof address === 'string' && parseAddress(address) !== undefined)
        .slice(0, PEER_LIMITS.lastKnownMax);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#logger.warn('last known members: the file cannot be read', { reason: (error as Error).message });
      }
      return [];
    }
  }

  /** Soon: several changes make one write. An empty list is not noted: it would forget what a lonely start needs. */
  note(addresses: readonly string[]): void {
    if (addresses.length === 0) return;
    this.#pending = addresses.slice(0, PEER_LIMITS.lastKnownMax);
    this.#timer ??= this.#clock.after(PEER_LIMITS.lastKnownDelayMs, () => this.flush());
  }

  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const text = `${JSON.stringify({ version: 1, addresses: this.#pending })}\n`;
    if (this.#pending.length === 0 || text === this.#written) return;
    try {
      mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
      writeFileSync(`${this.#file}.new`, text, { mode: 0o600 });
      renameSync(`${this.#file}.new`, this.#file);
      this.#written = text;
    } catch (error) {
      this.#logger.warn('last known members: the file cannot be written', { reason: (error as Error).message });
    }
  }
}
