import type { Clock } from '../base/clock.ts';
import { encodeFrame, type Frame, type FrameChannel, FrameKind, partBytes, type WrittenPart } from './frame-channel.ts';
import type { Handshaken } from './handshake.ts';
import { decodeAbility, decodeObject, encodeAbility, text } from './hello.ts';
import { HintSender } from './hint-sender.ts';
import { PEER_LIMITS } from './limits.ts';
import { LinkRequests, type RequestHandler, type RequestOptions } from './link-requests.ts';
import { PeerError } from './peer-error.ts';
import { Refused } from './refused.ts';
import type { Ability, Hello, Side } from './types.ts';

/** What a link tells of; all of it is about a member that has proven who it is. */
export interface LinkHost {
  readonly clock: Clock;
  handlerOf(kind: string): RequestHandler | undefined;
  onHint(link: Link, revision: number): void;
  onAbility(link: Link): void;
  /** Another member is at this address. */
  onIntroduction(link: Link, address: string): void;
  onMessage(link: Link, topic: string, body: Buffer): void;
  /** Once. `said`: it took its leave, and why; else it broke. */
  onEnd(link: Link, reason: string, said: boolean): void;
}

export type MessageBody = Uint8Array | WrittenPart;

/** A message as all links of a member may send it. Throws PeerError when it is too large. */
export function encodeMessage(topic: string, body: MessageBody): Buffer {
  const name = Buffer.from(topic);
  const bytes = partBytes(body);
  if (name.length > PEER_LIMITS.kindBytesMax || bytes > PEER_LIMITS.messageBytesMax) {
    throw new PeerError('too-large', `a message of ${bytes} bytes; at most ${PEER_LIMITS.messageBytesMax}`);
  }
  return encodeFrame(FrameKind.message, Buffer.of(name.length), name, body);
}

/** One live, authenticated link to one member. */
export class Link {
  readonly hello: Hello;
  readonly side: Side;
  readonly remoteIp: string;
  readonly sinceMs: number;
  /** Unix time in ms, for people. */
  readonly sinceWallMs: number;
  readonly #host: LinkHost;
  readonly #channel: FrameChannel;
  readonly #requests: LinkRequests;
  readonly #hints: HintSender;
  #ability: Ability;
  #heardAtMs: number;
  #roundTripMs: number | undefined;
  #highestHint = 0;
  #ended = false;

  constructor(handshaken: Handshaken, host: LinkHost) {
    const { channel, hello, side, remoteIp } = handshaken;
    const { clock } = host;
    this.hello = hello;
    this.side = side;
    this.remoteIp = remoteIp;
    this.sinceMs = clock.monotonicMs();
    this.sinceWallMs = clock.wallMs();
    this.#host = host;
    this.#channel = channel;
    this.#ability = hello.ability;
    this.#heardAtMs = this.sinceMs;
    const send = (kind: number, body: Uint8Array): void => this.#send(kind, body);
    this.#requests = new LinkRequests(clock, send, (kind) => host.handlerOf(kind));
    this.#hints = new HintSender(clock, PEER_LIMITS.hintIntervalMs, (revision) => {
      if (this.isSlow) return;
      const body = Buffer.alloc(8);
      body.writeBigUInt64BE(BigInt(revision));
      send(FrameKind.hint, body);
    });
  }

  /** Begins to listen: after the roster has it. */
  start(): void {
    this.#channel.handOver(
      (frame) => this.#onFrame(frame),
      (error) => this.#end(error.message, false),
    );
  }

  get ability(): Ability {
    return this.#ability;
  }

  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  /** We were stopped ourselves: what they sent meanwhile is yet to be read. */
  excuse(nowMs: number): void {
    this.#heardAtMs = nowMs;
  }

  ping(): void {
    const body = Buffer.alloc(8);
    body.writeDoubleBE(this.#host.clock.monotonicMs());
    this.#send(FrameKind.ping, body);
  }

  hint(revision: number): void {
    this.#hints.hint(revision);
  }

  sayAbility(ability: Ability): void {
    this.#send(FrameKind.ability, encodeAbility(ability));
  }

  introduce(address: string): void {
    if (!this.isSlow) this.#send(FrameKind.introduce, JSON.stringify({ address }));
  }

  /** What `encodeMessage` made. Best effort: one that `isSlow` misses it. */
  message(encoded: Buffer): void {
    if (this.#ended || this.isSlow) return;
    this.#channel.sendEncoded(encoded);
    this.#checkBuffer();
  }

  /** Rejects with PeerError. */
  request(kind: string, body: Uint8Array, options?: RequestOptions): Promise<Buffer> {
    if (this.#ended) return Promise.reject(new PeerError('lost', 'the link broke'));
    return this.#requests.ask(kind, body, options);
  }

  /** Takes leave. Resolves when the other side has heard it, or half a second later. */
  goodbye(reason: string): Promise<void> {
    if (this.#ended) return Promise.resolve();
    const { socket } = this.#channel;
    this.#send(FrameKind.goodbye, JSON.stringify({ reason }));
    socket.end();
    this.#end(reason, true);
    return new Promise((resolve) => {
      const limit = this.#host.clock.after(PEER_LIMITS.goodbyeMs, () => socket.destroy());
      socket.once('close', () => {
        limit.cancel();
        resolve();
      });
    });
  }

  /** Gives up on it. */
  break(reason: string): void {
    this.#channel.destroy(new Refused('timeout', reason));
    this.#end(reason, false);
  }

  #onFrame({ kind, body }: Frame): void {
    if (this.#ended) return;
    this.#heardAtMs = this.#host.clock.monotonicMs();
    try {
      this.#onKind(kind, body);
    } catch (error) {
      // What is malformed ends this link and nothing else.
      if (error instanceof Refused || error instanceof RangeError) this.break(error.message);
      else throw error;
    }
  }

  #onKind(kind: number, body: Buffer): void {
    switch (kind) {
      case FrameKind.ping:
        this.#send(FrameKind.pong, body);
        return;
      case FrameKind.pong:
        this.#onPong(body.readDoubleBE(0));
        return;
      case FrameKind.hint:
        this.#onHint(Number(body.readBigUInt64BE(0)));
        return;
      case FrameKind.ability:
        this.#ability = decodeAbility(body);
        this.#host.onAbility(this);
        return;
      case FrameKind.introduce:
        this.#host.onIntroduction(this, text(decodeObject(body), 'address'));
        return;
      case FrameKind.request:
        this.#requests.onRequest(body);
        return;
      case FrameKind.response:
        this.#requests.onResponse(body);
        return;
      case FrameKind.message: {
        const topicEnd = 1 + body.readUInt8(0);
        this.#host.onMessage(this, body.toString('utf8', 1, topicEnd), body.subarray(topicEnd));
        return;
      }
      case FrameKind.goodbye:
        this.#channel.socket.end();
        this.#end(text(decodeObject(body), 'reason'), true);
        return;
      default:
      // A later version's: what it is about will not be missed here.
    }
  }

  /** It brings back our own time; anything else is none of ours. */
  #onPong(pingedAtMs: number): void {
    const roundTripMs = this.#heardAtMs - pingedAtMs;
    if (roundTripMs >= 0 && pingedAtMs >= this.sinceMs) this.#roundTripMs = roundTripMs;
  }

  /** A repeated or older one says nothing new. */
  #onHint(revision: number): void {
    if (revision <= this.#highestHint) return;
    this.#highestHint = revision;
    this.#host.onHint(this, revision);
  }

  #send(kind: number, body: Uint8Array | string): void {
    if (this.#ended) return;
    this.#channel.send(kind, body);
    this.#checkBuffer();
  }

  #checkBuffer(): void {
    if (this.#channel.socket.writableLength > PEER_LIMITS.linkBufferBytesMax)
      this.break('it does not read what it is sent');
  }

  /** It has much of what it was sent yet to read. */
  get isSlow(): boolean {
    return this.#channel.socket.writableLength > PEER_LIMITS.linkBufferBytesSoft;
  }

  #end(reason: string, said: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#hints.stop();
    this.#requests.close();
    this.#host.onEnd(this, reason, said);
  }
}
