/**
 * The closed loop: every call asks again as soon as it is answered, so that the number in flight stays the same. What is
 * measured is what ended between `startMeasuring` and `stopMeasuring`.
 */
import { Call, type Handler } from '../http2/call.ts';
import { Connection } from '../http2/connection.ts';
import { Histogram } from './histogram.ts';
import { type Load, Outcome } from './load.ts';
import type { Shape, Workload } from './workload.ts';

export class Loop implements Load, Handler {
  readonly latency = new Histogram();
  readonly #outcome = new Outcome();
  readonly #workload: Workload;
  readonly #connections: Connection[] = [];
  readonly #calls: Call[] = [];
  #asking = 0;
  #isStopping = false;
  #isMeasuring = false;

  private constructor(workload: Workload) {
    this.#workload = workload;
  }

  /** Connects; nothing is asked before `start`. */
  static async open(port: number, shape: Shape, workload: Workload): Promise<Loop> {
    const loop = new Loop(workload);
    for (let i = 0; i < shape.connections; i++) {
      const connection = await Connection.open(port, loop);
      loop.#connections.push(connection);
      for (let j = 0; j < shape.callsPerConnection; j++) loop.#calls.push(new Call(connection, loop.#calls.length));
    }
    return loop;
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
    this.#asking = this.#calls.length;
    for (const call of this.#calls) {
      call.connection.now = performance.now();
      const message = this.#workload.next(call);
      if (message === undefined) this.#restOne();
      else if (this.#workload.kind === 'unary') call.connection.request(call, message);
      else call.connection.openStream(call, message);
    }
    for (const connection of this.#connections) connection.flush();
  }

  stop(): void {
    this.#isStopping = true;
    if (this.#asking === 0) this.#outcome.done();
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
    try {
      this.#workload.check(call, bytes, from, to);
    } catch (error) {
      this.#outcome.wrong(error instanceof Error ? error.message : String(error));
    }
    if (this.#workload.kind === 'unary') return;
    this.#record(call);
    const message = this.#isStopping ? undefined : this.#workload.next(call);
    if (message === undefined) this.#restOne();
    else call.connection.send(call, message);
  }

  ended(call: Call, grpcStatus: number, grpcMessage: string): void {
    if (grpcStatus !== 0) this.#outcome.wrong(`gRPC status ${grpcStatus}: ${grpcMessage}`);
    if (this.#workload.kind === 'stream') {
      this.#outcome.fail(new Error(`a stream ended that should stay open: status ${grpcStatus} ${grpcMessage}`));
      return;
    }
    if (grpcStatus === 0 && call.messages !== 1) this.#outcome.wrong(`success with ${call.messages} messages`);
    call.messages = 0;
    this.#record(call);
    const message = this.#isStopping ? undefined : this.#workload.next(call);
    if (message === undefined) this.#restOne();
    else call.connection.request(call, message);
  }

  broke(_connection: Connection, error: Error): void {
    this.#outcome.fail(error);
  }

  #record(call: Call): void {
    if (this.#isMeasuring) this.latency.record((call.connection.now - call.startedAt) * 1000);
  }

  #restOne(): void {
    this.#asking--;
    if (this.#asking === 0) this.#outcome.done();
  }
}
