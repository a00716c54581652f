import type { StreamCall } from '../wire/grpc.ts';
import { refusal } from './errors.ts';

/** The long calls that are open, so that a server that is going can say so to each instead of waiting for them. */
export class OpenStreams {
  readonly #calls = new Set<StreamCall>();
  #ended = false;

  /** From its opening to its onClose. */
  add(call: StreamCall): void {
    this.#calls.add(call);
    // The call's handler does not exist yet: let it come to be.
    if (this.#ended) queueMicrotask(() => call.end(refusal('stopped')));
  }

  delete(call: StreamCall): void {
    this.#calls.delete(call);
  }

  /** Ends all with etcd's "server stopped" (unavailable: clients go elsewhere), and every later one at once. */
  endAll(): void {
    this.#ended = true;
    for (const call of [...this.#calls]) call.end(refusal('stopped'));
  }
}
