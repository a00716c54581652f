import { createWriteStream, type WriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import type { Logger } from '../base/logger.ts';
import type { CallRecord } from '../etcd/call-guard.ts';
import { Status } from '../wire/grpc.ts';
import { LIMITS } from './limits.ts';

/**
 * Who did what, one JSON object a line, in a file that only its owner reads. Requests do not wait for it: when the disk
 * does not keep up lines are dropped, counted, and the next that gets through says how many.
 *
 *     {"ts":"…","who":"alice","peer":"10.0.0.7:4711","method":"/etcdserverpb.KV/Put","request":{"key":"a"},"result":"OK","ms":1.2}
 */
export class AuditLog {
  readonly #stream: WriteStream;
  readonly #clock: Clock;
  #droppedSince = 0;
  /** Lines that were not written. */
  dropped = 0;

  private constructor(path: string, clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#stream = createWriteStream(path, { flags: 'a', mode: 0o600 });
    this.#stream.on('error', (error) => logger.error('the audit log cannot be written', { reason: error.message }));
  }

  /** Rejects with a Failure when the file cannot be opened: whoever asks for an audit log does not want to be without. */
  static async open(path: string, clock: Clock, logger: Logger): Promise<AuditLog> {
    try {
      await (await open(path, 'a', 0o600)).close();
    } catch (error) {
      throw new Failure(`--audit-log: ${(error as Error).message}`, { cause: error });
    }
    return new AuditLog(path, clock, logger);
  }

  write({ who, peer, path, facts, code, elapsedMs }: CallRecord): void {
    if (!this.#stream.writable || this.#stream.writableLength > LIMITS.auditBufferBytes) {
      this.dropped++;
      this.#droppedSince++;
      return;
    }
    const ts = new Date(this.#clock.wallMs()).toISOString();
    if (this.#droppedSince > 0) {
      this.#stream.write(`${JSON.stringify({ ts, dropped_lines: this.#droppedSince })}\n`);
      this.#droppedSince = 0;
    }
    const ms = Math.round(elapsedMs * 1000) / 1000;
    const line = { ts, who, peer, method: path, request: facts, result: RESULTS[code], ms };
    this.#stream.write(`${JSON.stringify(line)}\n`);
  }

  /** Resolves when all is written. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#stream.end(() => resolve()));
  }
}

/** By number, as Go prints codes. */
const RESULTS: readonly string[] = Object.keys(Status).map((name) =>
  name === 'ok' ? 'OK' : name === 'cancelled' ? 'Canceled' : name.charAt(0).toUpperCase() + name.slice(1),
);
