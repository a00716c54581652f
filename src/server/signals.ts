import type { Logger } from '../base/logger.ts';

type Signal = 'SIGTERM' | 'SIGINT' | 'SIGHUP';

const NUMBERS: Readonly<Record<Signal, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** The part of `process` that is needed here. */
export interface SignalSource {
  on(signal: Signal, listener: (signal: Signal) => void): unknown;
  off(signal: Signal, listener: (signal: Signal) => void): unknown;
  exit(code: number): never;
}

/**
 * Resolves with the first signal that asks to stop. A second one ends the process at once, with 128 + its number, for
 * whoever cannot wait: nothing is lost by it, since every answered write is on disk.
 */
export function firstStopSignal(source: SignalSource, logger: Logger): Promise<Signal> {
  return new Promise((resolve) => {
    let asked = false;
    const listener = (signal: Signal) => {
      if (asked) {
        logger.warn('second signal: ending at once', { signal });
        source.exit(128 + NUMBERS[signal]);
      }
      asked = true;
      resolve(signal);
    };
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) source.on(signal, listener);
  });
}
