import type { Clock, Timer } from '../base/clock.ts';
import { FrameKind } from './frame-channel.ts';
import { PEER_LIMITS } from './limits.ts';
import { PeerError, type PeerErrorCode } from './peer-error.ts';

/**
 * Questions and answers over one link, either way, any number up to a limit at a time.
 *
 *     request   number (4 bytes) │ length of kind (1 byte) │ kind │ body
 *     response  number (4 bytes) │ 0: body, else an entry of FAILURES (1 byte) │ body, or the reason
 */
export type RequestHandler = (body: Buffer) => Promise<Uint8Array>;

export interface RequestOptions {
  /** Default: 3 s. */
  readonly timeoutMs?: number;
}

/** Their place in the list, plus one, goes over the wire: append only. */
const FAILURES: readonly PeerErrorCode[] = ['failed', 'busy', 'unknown-kind', 'too-large'];
const HEAD_BYTES = 5;

export class LinkRequests {
  readonly #clock: Clock;
  readonly #send: (kind: number, body: Uint8Array) => void;
  readonly #handlerOf: (kind: string) => RequestHandler | undefined;
  readonly #waiting = new Map<number, { settle(answer: Buffer | PeerError): void }>();
  #number = 0;
  #answering = 0;

  constructor(
    clock: Clock,
    send: (kind: number, body: Uint8Array) => void,
    handlerOf: (kind: string) => RequestHandler | undefined,
  ) {
    this.#clock = clock;
    this.#send = send;
    this.#handlerOf = handlerOf;
  }

  /** Rejects with PeerError. */
  ask(kind: string, body: Uint8Array, { timeoutMs = PEER_LIMITS.requestMs }: RequestOptions = {}): Promise<Buffer> {
    const name = Buffer.from(kind);
    if (name.length > PEER_LIMITS.kindBytesMax || isTooLarge(body.length + name.length)) {
      return Promise.reject(new PeerError('too-large', `a request of ${body.length} bytes`));
    }
    if (this.#waiting.size >= PEER_LIMITS.requestsPerLinkMax) {
      return Promise.reject(new PeerError('busy', `${PEER_LIMITS.requestsPerLinkMax} requests wait already`));
    }
    this.#number = (this.#number + 1) >>> 0;
    const number = this.#number;
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32BE(number, 0);
    head[4] = name.length;
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined;
      const settle = (answer: Buffer | PeerError): void => {
        this.#waiting.delete(number);
        timer?.cancel();
        if (answer instanceof PeerError) reject(answer);
        else resolve(answer);
      };
      timer = this.#clock.after(timeoutMs, () => settle(new PeerError('timeout', `no answer within ${timeoutMs} ms`)));
      this.#waiting.set(number, { settle });
      this.#send(FrameKind.request, Buffer.concat([head, name, body]));
    });
  }

  onRequest(frame: Buffer): void {
    const number = frame.length < HEAD_BYTES ? 0 : frame.readUInt32BE(0);
    const kindEnd = HEAD_BYTES + (frame[4] ?? 0);
    const handler = this.#handlerOf(frame.toString('utf8', HEAD_BYTES, kindEnd));
    if (handler === undefined) this.#fail(number, new PeerError('unknown-kind', 'no such request here'));
    else if (this.#answering >= PEER_LIMITS.requestsPerLinkMax) this.#fail(number, new PeerError('busy', 'too many'));
    else void this.#answer(number, handler, frame.subarray(kindEnd));
  }

  onResponse(frame: Buffer): void {
    if (frame.length < HEAD_BYTES) return;
    const waiting = this.#waiting.get(frame.readUInt32BE(0));
    const status = frame[4] ?? 0;
    const body = frame.subarray(HEAD_BYTES);
    // Nobody waits any more: it came too late.
    if (waiting === undefined) return;
    waiting.settle(status === 0 ? body : new PeerError(FAILURES[status - 1] ?? 'failed', body.toString('utf8')));
  }

  /** The link is gone. */
  close(): void {
    for (const { settle } of [...this.#waiting.values()]) settle(new PeerError('lost', 'the link broke'));
  }

  async #answer(number: number, handler: RequestHandler, body: Buffer): Promise<void> {
    this.#answering++;
    try {
      const answer = await handler(body);
      if (isTooLarge(answer.length)) throw new PeerError('too-large', `the answer has ${answer.length} bytes`);
      this.#respond(number, 0, answer);
    } catch (error) {
      this.#fail(number, error instanceof PeerError ? error : new PeerError('failed', (error as Error).message));
    } finally {
      this.#answering--;
    }
  }

  #fail(number: number, error: PeerError): void {
    const reason = Buffer.from(error.message.slice(0, PEER_LIMITS.textBytesMax));
    this.#respond(number, 1 + Math.max(FAILURES.indexOf(error.code), 0), reason);
  }

  #respond(number: number, status: number, body: Uint8Array): void {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32BE(number, 0);
    head[4] = status;
    this.#send(FrameKind.response, Buffer.concat([head, body]));
  }
}

function isTooLarge(bytes: number): boolean {
  return bytes + HEAD_BYTES >= PEER_LIMITS.frameBytesMax;
}
