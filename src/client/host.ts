import type { Clock } from '../base/clock.ts';

/** What client commands need of the world; main hands it in. */
export interface ClientHost {
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly input: ClientInput;
  /** To standard output, as it is. */
  out(data: string | Uint8Array): void;
  /** To standard error, as it is. */
  err(text: string): void;
  /** Whether standard output is a terminal, for colours. */
  readonly isTerminal: boolean;
  /** Calls back once, at SIGINT or SIGTERM. */
  onStopSignal(listener: () => void): void;
}

/** Standard input, which may be a terminal. */
export interface ClientInput extends AsyncIterable<Uint8Array | string> {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  destroy(): unknown;
}
