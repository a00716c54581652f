/**
 * Watch fan-out: watchers of one key, and a writer that keeps some puts in flight. A put is over when it was answered and
 * every watcher has seen its event, so the rate is what the server sustains and not what it queues. Counted are events
 * delivered; their latency begins when the put was asked for.
 *
 * As Go's client does, the watches of one connection share one stream.
 */
import { readWatch, watchCreated } from '../etcd/answers.ts';
import { keyTemplate, readDigits } from '../etcd/keyspace.ts';
import { FixedMessage, NumberedPutMessage } from '../etcd/messages.ts';
import { path } from '../etcd/paths.ts';
import { bytesField } from '../etcd/protobuf.ts';
import { Call, type Handler } from '../http2/call.ts';
import { Connection } from '../http2/connection.ts';
import { Histogram } from './histogram.ts';
import { type Load, Outcome } from './load.ts';
import { shapeOf } from './workload.ts';

const putsInFlight = 32;
/** Puts are told apart by their number modulo this, well above those in flight. */
const putSlots = 1024;

export class WatchLoad implements Load, Handler {
  readonly latency = new Histogram();
  readonly #outcome = new Outcome();
  readonly #watchers: number;
  readonly #put: NumberedPutMessage;
  readonly #connections: Connection[] = [];
  readonly #writers: Call[] = [];
  /** By put: who wrote it, when, and how many events and answers are still to come. */
  readonly #writerOf: (Call | undefined)[] = new Array(putSlots).fill(undefined);
  readonly #startedAt = new Float64Array(putSlots);
  readonly #pending = new Int32Array(putSlots);
  #created = 0;
  #allCreated: () => void = () => undefined;
  #nextPut = 0;
  #writing = 0;
  #isStopping = false;
  #isMeasuring = false;
  #now = 0;
  #bytes: Buffer = Buffer.alloc(0);
  readonly #seen = (valueAt: number): void => this.#event(readDigits(this.#bytes, valueAt));

  private constructor(watchers: number, valueBytes: number) {
    this.#watchers = watchers;
    this.#put = new NumberedPutMessage(valueBytes);
  }

  /** Connects and creates the watches; nothing is written before `start`. */
  static async open(port: number, watchers: number, valueBytes: number): Promise<WatchLoad> {
    const load = new WatchLoad(watchers, valueBytes);
    const writer = await Connection.open(port, load);
    load.#connections.push(writer);
    for (let i = 0; i < putsInFlight; i++) load.#writers.push(new Call(writer, i));
    const create = new FixedMessage(path.watch, bytesField(1, bytesField(1, keyTemplate)));
    const created = new Promise<void>((resolve) => {
      load.#allCreated = resolve;
    });
    const shape = shapeOf(watchers);
    for (let i = 0; i < shape.connections; i++) {
      const connection = await Connection.open(port, load);
      load.#connections.push(connection);
      const stream = new Call(connection, putsInFlight + i);
      connection.openStream(stream, create);
      const watches = Math.min(shape.callsPerConnection, watchers - i * shape.callsPerConnection);
      for (let j = 1; j < watches; j++) connection.send(stream, create);
      connection.flush();
    }
    await Promise.race([created, load.rest]);
    return load;
  }

  get rest(): Promise<void> {
    return this.#outcome.rest;
  }

  get errors(): number {
    return this.#outcome.errors;
  }

  get firstError(): string {
    return this.#outcome.firstError;
  }

  start(): void {
    this.#now = performance.now();
    this.#writing = this.#writers.length;
    for (const call of this.#writers) this.#write(call);
    this.#connections[0]?.flush();
  }

  stop(): void {
    this.#isStopping = true;
  }

  startMeasuring(): void {
    this.latency.clear();
    this.#isMeasuring = true;
  }

  stopMeasuring(): void {
    this.#isMeasuring = false;
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  answered(call: Call, bytes: Buffer, from: number, to: number): void {
    if (call.message === this.#put) return;
    this.#now = call.connection.now;
    this.#bytes = bytes;
    try {
      if (this.#created < this.#watchers && watchCreated(bytes, from, to)) {
        if (++this.#created === this.#watchers) this.#allCreated();
      } else readWatch(bytes, from, to, this.#seen);
    } catch (error) {
      this.#outcome.wrong(error instanceof Error ? error.message : String(error));
    }
  }

  ended(call: Call, grpcStatus: number, grpcMessage: string): void {
    if (call.message !== this.#put) {
      this.#outcome.fail(new Error(`a watch stream ended: status ${grpcStatus} ${grpcMessage}`));
      return;
    }
    if (grpcStatus !== 0) this.#outcome.fail(new Error(`a put failed: status ${grpcStatus} ${grpcMessage}`));
    this.#now = call.connection.now;
    this.#settle(call.key % putSlots);
  }

  broke(_connection: Connection, error: Error): void {
    this.#outcome.fail(error);
  }

  #write(call: Call): void {
    while (this.#pending[this.#nextPut % putSlots] !== 0) this.#nextPut++;
    call.key = this.#nextPut++;
    const slot = call.key % putSlots;
    this.#writerOf[slot] = call;
    this.#startedAt[slot] = this.#now;
    this.#pending[slot] = this.#watchers + 1;
    call.connection.now = this.#now;
    call.connection.request(call, this.#put);
  }

  #event(put: number): void {
    const slot = put % putSlots;
    if (this.#writerOf[slot]?.key !== put) throw new Error(`an event of put ${put}, which was over`);
    if (this.#isMeasuring) this.latency.record((this.#now - (this.#startedAt[slot] as number)) * 1000);
    this.#settle(slot);
  }

  #settle(slot: number): void {
    const left = (this.#pending[slot] as number) - 1;
    this.#pending[slot] = left;
    if (left > 0) return;
    const call = this.#writerOf[slot];
    if (call === undefined || left < 0) throw new Error('an event too many');
    if (!this.#isStopping) {
      this.#write(call);
      call.connection.flush();
    } else if (--this.#writing === 0) this.#outcome.done();
  }
}
