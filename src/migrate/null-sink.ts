import type { ImportSink } from '../mvcc/import-sink.ts';

/** Takes rows and keeps none: for learning what a source holds. */
export class NullSink implements ImportSink {
  async begin(): Promise<void> {}
  async write(): Promise<void> {}
  async finish(): Promise<void> {}
  async abort(): Promise<void> {}
}
