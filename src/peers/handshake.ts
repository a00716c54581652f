import type { TLSSocket } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { shortIp } from './address.ts';
import { FrameChannel, FrameKind } from './frame-channel.ts';
import { checkHello, decodeHello, decodeObject, encodeHello, text } from './hello.ts';
import { type Identity, memberIdOf } from './identity.ts';
import { PEER_LIMITS } from './limits.ts';
import { isRefusalCode, Refused } from './refused.ts';
import type { Session, TlsPeer, Trust } from './trust.ts';
import type { Hello, MemberId, Side } from './types.ts';

/**
 * How a link begins, once TLS stands:
 *
 *      dialler                                   acceptor
 *         │ prove (HMAC in mode secret)             │
 *         ├────────────────────────────────────────▶│ the key is trusted, the proof is right
 *         │                          prove, hello   │
 *         │◀────────────────────────────────────────┤
 *         │ hello                                   │
 *         ├────────────────────────────────────────▶│ one of ours, there is room, no link yet
 *         │                               welcome   │
 *         │◀────────────────────────────────────────┤
 *
 * The dialler shows itself first, so that a stranger who knocks gets nothing to guess the secret by. Whoever finds
 * something wrong says `refuse`, with the reason, and closes. All of it has three seconds and small frames.
 */
export interface HandshakeContext {
  readonly identity: Identity;
  readonly trust: Trust;
  readonly clock: Clock;
  /** Our own hello, as it is now. */
  hello(): Hello;
  /** The acceptor's last word: throws Refused when there is no room, or a link already. */
  admit(hello: Hello, remoteIp: string): void;
}

/** Both have proven themselves. */
export interface Handshaken {
  readonly channel: FrameChannel;
  readonly hello: Hello;
  readonly side: Side;
  readonly remoteIp: string;
}

/** ALPN: a TLS client of something else is turned away before it has said a word. */
export const PEER_ALPN = 'kedge-peer/1';

const EXPORTER_LABEL = 'EXPORTER-kedge-peer-v1';

/**
 * Rejects with Refused; then the socket is closed. `expectedId`: the only one that may answer, when DNS publishes it.
 * */
export async function shakeHands(
  socket: TLSSocket,
  side: Side,
  context: HandshakeContext,
  expectedId?: MemberId,
): Promise<Handshaken> {
  const channel = new FrameChannel(socket);
  const limit = context.clock.after(PEER_LIMITS.handshakeMs, () =>
    channel.destroy(new Refused('timeout', `no handshake within ${PEER_LIMITS.handshakeMs} ms`)),
  );
  let provenId: MemberId | undefined;
  try {
    const peer = tlsPeerOf(socket);
    provenId = peer.id;
    // A table in a database that hangs must not hold us longer than the other side may.
    await Promise.race([context.trust.checkPeer(peer), channel.ended]);
    if (expectedId !== undefined && peer.id !== expectedId) {
      throw new Refused(
        'key-mismatch',
        `DNS publishes key ${expectedId.slice(0, 16)}, they have ${peer.id.slice(0, 16)}`,
      );
    }
    const exporter = socket.exportKeyingMaterial(32, EXPORTER_LABEL, Buffer.alloc(0));
    const hello = await (side === 'dialler' ? dial : accept)(channel, peer, exporter, context);
    return { channel, hello, side, remoteIp: peer.remoteIp };
  } catch (error) {
    const refused = error instanceof Refused ? error : new Refused('tls', (error as Error).message);
    refused.provenId = provenId;
    close(channel, refused, context.clock);
    throw refused;
  } finally {
    limit.cancel();
  }
}

async function dial(
  channel: FrameChannel,
  peer: TlsPeer,
  exporter: Buffer,
  { identity, trust, hello }: HandshakeContext,
): Promise<Hello> {
  const session: Session = { exporter, diallerId: identity.id, acceptorId: peer.id };
  channel.send(FrameKind.prove, trust.proof('dialler', session));
  trust.checkProof('acceptor', session, await expectFrame(channel, FrameKind.prove));
  const theirs = decodeHello(await expectFrame(channel, FrameKind.hello));
  const ours = hello();
  checkHello(theirs, ours, peer.id);
  channel.send(FrameKind.hello, encodeHello(ours));
  await expectFrame(channel, FrameKind.welcome);
  return theirs;
}

async function accept(
  channel: FrameChannel,
  peer: TlsPeer,
  exporter: Buffer,
  { identity, trust, hello, admit }: HandshakeContext,
): Promise<Hello> {
  const session: Session = { exporter, diallerId: peer.id, acceptorId: identity.id };
  trust.checkProof('dialler', session, await expectFrame(channel, FrameKind.prove));
  const ours = hello();
  channel.send(FrameKind.prove, trust.proof('acceptor', session));
  channel.send(FrameKind.hello, encodeHello(ours));
  const theirs = decodeHello(await expectFrame(channel, FrameKind.hello));
  checkHello(theirs, ours, peer.id);
  admit(theirs, peer.remoteIp);
  channel.send(FrameKind.welcome, '');
  return theirs;
}

async function expectFrame(channel: FrameChannel, kind: number): Promise<Buffer> {
  const frame = await channel.read();
  if (frame.kind === kind) return frame.body;
  if (frame.kind !== FrameKind.refuse) throw new Refused('bad-frame', `frame ${frame.kind} where ${kind} was due`);
  const refusal = decodeObject(frame.body);
  const code = text(refusal, 'code');
  throw new Refused(isRefusalCode(code) ? code : 'bad-frame', text(refusal, 'reason'), 'them');
}

/** Says why, if it can still be said, and closes within a moment. */
function close(channel: FrameChannel, refused: Refused, clock: Clock): void {
  const { socket } = channel;
  if (refused.by === 'us' && socket.writable) {
    channel.send(FrameKind.refuse, JSON.stringify({ code: refused.code, reason: refused.message }));
  }
  socket.end();
  clock.after(PEER_LIMITS.goodbyeMs, () => socket.destroy());
}

function tlsPeerOf(socket: TLSSocket): TlsPeer {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) throw new Refused('no-certificate', 'they show no certificate: no member of kedge');
  const chainError = socket.authorizationError as Error | string | undefined | null;
  return {
    id: memberIdOf(certificate.publicKey),
    certificate,
    remoteIp: shortIp(socket.remoteAddress ?? '') ?? '',
    localIp: shortIp(socket.localAddress ?? '') ?? '',
    chainError: socket.authorized ? undefined : String(chainError ?? 'unknown authority'),
  };
}
