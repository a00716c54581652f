import { FixedMessage } from '../etcd/messages.ts';
import { path } from '../etcd/paths.ts';
import { varintField } from '../etcd/protobuf.ts';
import type { Workload } from '../load/workload.ts';

/** One Compact that is answered when the sweep is through (`physical`). */
export class CompactOnce implements Workload {
  readonly kind = 'unary';
  readonly #message: FixedMessage;
  #left = 1;

  constructor(revision: number) {
    this.#message = new FixedMessage(path.compact, Buffer.concat([varintField(1, revision), varintField(2, 1)]));
  }

  next(): FixedMessage | undefined {
    return this.#left-- > 0 ? this.#message : undefined;
  }

  check(): void {
    // The status says it all.
  }
}
