/**
 * The open loop: so many calls a second, whether those before are answered or not, as users do who do not know of each
 * other. A call's latency begins when it was due: what a slow server makes wait is counted as waiting.
 */
import { Call, type Handler } from '../http2/call.ts';
import { Connection } from '../http2/connection.ts';
import { Histogram } from './histogram.ts';
import { type Load, Outcome } from './load.ts';
import type { Workload } from './workload.ts';

const connections = 8;
const callsPerConnection = 250;
const tickMs = 1;

export class SteadyLoad implements Load, Handler {
  readonly latency = new Histogram();
  /** The longest that any call took while measuring, in milliseconds. */
  longestMs = 0;
  readonly #outcome = new Outcome();
  readonly #workload: Workload;
  readonly #perMs: number;
  readonly #connections: Connection[] = [];
  readonly #idle: Call[] = [];
  /** By the call's place: when what it asks was due. */
  readonly #dueAt = new Float64Array(connections * callsPerConnection);
  #calls = 0;
  #startedAt = 0;
  #sent = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopping = false;
  #isMeasuring = false;

  private constructor(workload: Workload, perSecond: number) {
    this.#workload = workload;
    this.#perMs = perSecond / 1000;
  }

  /** Connects; nothing is asked before `start`. */
  static async open(port: number, perSecond: number, workload: Workload): Promise<SteadyLoad> {
    const load = new SteadyLoad(workload, perSecond);
    for (let i = 0; i < connections; i++) {
      const connection = await Connection.open(port, load);
      load.#connections.push(connection);
      for (let j = 0; j < callsPerConnection; j++) load.#idle.push(new Call(connection, load.#calls++));
    }
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
    this.#startedAt = performance.now();
    this.#timer = setInterval(() => this.#sendDue(), tickMs);
  }

  stop(): void {
    this.#isStopping = true;
    clearInterval(this.#timer);
    if (this.#idle.length === this.#calls) this.#outcome.done();
  }

  startMeasuring(): void {
    this.latency.clear();
    this.longestMs = 0;
    this.#isMeasuring = true;
  }

  stopMeasuring(): void {
    this.#isMeasuring = false;
  }

  close(): void {
    clearInterval(this.#timer);
    for (const connection of this.#connections) connection.close();
  }

  answered(call: Call, bytes: Buffer, from: number, to: number): void {
    try {
      this.#workload.check(call, bytes, from, to);
    } catch (error) {
      this.#outcome.wrong(error instanceof Error ? error.message : String(error));
    }
  }

  ended(call: Call, grpcStatus: number, grpcMessage: string): void {
    if (grpcStatus !== 0) this.#outcome.wrong(`gRPC status ${grpcStatus}: ${grpcMessage}`);
    call.messages = 0;
    const tookMs = call.connection.now - (this.#dueAt[call.place] ?? 0);
    if (this.#isMeasuring) {
      this.latency.record(tookMs * 1000);
      this.longestMs = Math.max(this.longestMs, tookMs);
    }
    this.#idle.push(call);
    if (this.#isStopping) {
      if (this.#idle.length === this.#calls) this.#outcome.done();
    } else this.#sendDue();
  }

  broke(_connection: Connection, error: Error): void {
    this.#outcome.fail(error);
  }

  /** All that is due by now, as far as there are calls to ask with; the rest is late, and counted so. */
  #sendDue(): void {
    const due = Math.floor((performance.now() - this.#startedAt) * this.#perMs);
    while (this.#sent < due) {
      // Those that were idle the longest come first, so that all connections have their share.
      const call = this.#idle.shift();
      if (call === undefined) break;
      this.#dueAt[call.place] = this.#startedAt + this.#sent / this.#perMs;
      this.#sent++;
      const message = this.#workload.next(call);
      if (message !== undefined) call.connection.request(call, message);
    }
    for (const connection of this.#connections) connection.flush();
  }
}
