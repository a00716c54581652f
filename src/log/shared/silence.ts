import type { Clock, Timer } from '../../base/clock.ts';
import type { Host } from './host-list.ts';

/*
 * A server that does not answer may be at work, or be gone without a word: a cable, a firewall, a machine without
 * power. TCP finds that out after many minutes. So whoever has waited a while asks for a new connection:
 *
 *   statement ── SILENT_MS ──▶ look: does anybody take a connection there?
 *                                ├─ yes: it is at work; wait on, and look again now and then, until the time limit
 *                                └─ no:  it is gone; give up this connection, and use none from before again
 *
 * One look answers all who wait. Looks are few also because servers count connections that come to nothing.
 */

/** Without an answer for so long, one looks whether the host is there. Longer than commits take on a slow disk. */
const SILENT_MS = 2_000;
/** How long a host may take to accept a connection: one packet may be lost. */
const LOOK_MS = 2_000;
/** A host that was there is not looked at again before this. */
const THERE_FOR_MS = 5_000;

/** Whether somebody takes connections at the host. Never rejects; it need not be quick. */
export type Look = (host: Host) => Promise<boolean>;

/** Finds out whether a server that says nothing is still there. One for all connections of a store. */
export class Silence {
  readonly #clock: Clock;
  readonly #look: Look;
  readonly #looking = new Map<Host, Promise<boolean>>();
  readonly #seenMs = new Map<Host, number>();
  readonly #losses = new Map<Host, number>();
  /** Hears of each host that turns out to be gone. */
  onGone: (host: Host) => void = () => {};

  constructor(clock: Clock, look: Look) {
    this.#clock = clock;
    this.#look = look;
  }

  /** Raised when the host turns out to be gone: connections that were made before are dead, even if they do not know. */
  losses(host: Host | undefined): number {
    return host === undefined ? 0 : (this.#losses.get(host) ?? 0);
  }

  /**
   * `giveUp` is called once, with the reason, when the host is gone or the time is over; not after `cancel`. `host`
   * undefined: on this machine, where nothing gets lost.
   */
  watch(host: Host | undefined, timeoutMs: number, giveUp: (why: string) => void): Timer {
    const untilMs = this.#clock.monotonicMs() + timeoutMs;
    let isOver = false;
    let timer: Timer;
    const end = (why: string): void => {
      if (isOver) return;
      isOver = true;
      timer.cancel();
      giveUp(why);
    };
    const wait = (): void => {
      const leftMs = untilMs - this.#clock.monotonicMs();
      if (host === undefined || leftMs <= SILENT_MS) {
        timer = this.#clock.after(leftMs, () => end(`no answer within ${timeoutMs} ms`));
        return;
      }
      timer = this.#clock.after(SILENT_MS, () => {
        wait();
        void this.#isThere(host).then((isThere) => {
          if (!isThere) end(`no answer, and nobody takes a new connection within ${LOOK_MS} ms`);
        });
      });
    };
    wait();
    return {
      cancel() {
        isOver = true;
        timer.cancel();
      },
    };
  }

  #isThere(host: Host): Promise<boolean> {
    const seenMs = this.#seenMs.get(host);
    if (seenMs !== undefined && this.#clock.monotonicMs() - seenMs < THERE_FOR_MS) return Promise.resolve(true);
    const under = this.#looking.get(host);
    if (under !== undefined) return under;
    const look = this.#lookInTime(host).then((isThere) => {
      this.#looking.delete(host);
      if (isThere) this.#seenMs.set(host, this.#clock.monotonicMs());
      else {
        this.#losses.set(host, this.losses(host) + 1);
        this.onGone(host);
      }
      return isThere;
    });
    this.#looking.set(host, look);
    return look;
  }

  #lookInTime(host: Host): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(LOOK_MS, () => resolve(false));
      void this.#look(host).then((isThere) => {
        timer.cancel();
        resolve(isThere);
      });
    });
  }
}
