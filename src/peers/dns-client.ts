import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { type Answer, decode, encode, type Packet, RECURSION_DESIRED } from 'dns-packet';
import type { Clock } from '../base/clock.ts';
import { type Address, formatAddress, shortIp } from './address.ts';
import { PEER_LIMITS } from './limits.ts';

/**
 * One question to DNS, with timeouts that suit us: a second per try, four in all. Node's own resolver waits half a
 * minute for a silent server, which at an edge site is how long a whole restart may take.
 *
 * A, AAAA and TXT only, over UDP, and over TCP when the answer did not fit. The message format is dns-packet's.
 * Source: RFC 1035; RFC 2308 for what "no such record" looks like; RFC 9715 for the size of a datagram.
 */
export type DnsRecordType = 'A' | 'AAAA' | 'TXT';

export interface DnsReply {
  /** `none`: the name exists, such a record does not. `absent`: nor does the name. */
  readonly kind: 'records' | 'none' | 'absent';
  readonly records: readonly string[];
  /** The shortest that is left, in seconds; 0 without records. */
  readonly ttlSeconds: number;
}

/** Nobody answered, or nobody could. */
export class DnsFailure extends Error {
  override readonly name = 'DnsFailure';
}

const RCODE_NAME_ERROR = 3;

/** Asks the servers one after the other, each twice. Rejects with DnsFailure. */
export async function askDns(
  name: string,
  type: DnsRecordType,
  servers: readonly Address[],
  clock: Clock,
): Promise<DnsReply> {
  const giveUpAtMs = clock.monotonicMs() + PEER_LIMITS.dnsTotalMs;
  let last = new DnsFailure('no server to ask');
  for (let round = 0; round < PEER_LIMITS.dnsTries; round++) {
    for (const server of servers) {
      if (clock.monotonicMs() >= giveUpAtMs) return await Promise.reject(last);
      try {
        return await askServer(name, type, server, clock);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        last = new DnsFailure(`${formatAddress(server)}: ${reason}`);
      }
    }
  }
  throw last;
}

async function askServer(name: string, type: DnsRecordType, server: Address, clock: Clock): Promise<DnsReply> {
  const query: Packet = {
    type: 'query',
    id: randomInt(0x1_0000),
    flags: RECURSION_DESIRED,
    questions: [{ type, name }],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: PEER_LIMITS.dnsUdpBytesMax,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  };
  const isAnswer = (packet: Packet): boolean =>
    packet.type === 'response' &&
    packet.id === query.id &&
    packet.questions?.[0]?.type === type &&
    packet.questions[0].name.toLowerCase() === name.toLowerCase();
  let answer = await overUdp(encode(query), server, clock, isAnswer);
  if (answer.flag_tc) answer = await overTcp(encode(query), server, clock, isAnswer);
  return replyOf(answer, type);
}

type Decoded = ReturnType<typeof decode>;

function replyOf(packet: Decoded, type: DnsRecordType): DnsReply {
  const code = (packet.flags ?? 0) & 0xf;
  if (code === RCODE_NAME_ERROR) return { kind: 'absent', records: [], ttlSeconds: 0 };
  if (code !== 0) throw new DnsFailure(`it answered with error ${code}`);
  const found = (packet.answers ?? []).filter((answer) => answer.type === type).slice(0, PEER_LIMITS.listedMax);
  if (found.length === 0) return { kind: 'none', records: [], ttlSeconds: 0 };
  const ttls = found.map((answer) => ('ttl' in answer ? (answer.ttl ?? 0) : 0));
  return { kind: 'records', records: found.flatMap(dataOf), ttlSeconds: Math.min(...ttls) };
}

function dataOf(answer: Answer): string[] {
  if (answer.type === 'TXT') {
    const parts = Array.isArray(answer.data) ? answer.data : [answer.data];
    return [parts.map((part) => part.toString()).join('')];
  }
  if (answer.type !== 'A' && answer.type !== 'AAAA') return [];
  const ip = shortIp(answer.data);
  return ip === undefined ? [] : [ip];
}

/** From a port of its own, and connected: only that server's answer is heard. */
function overUdp(
  query: Buffer,
  server: Address,
  clock: Clock,
  isAnswer: (packet: Packet) => boolean,
): Promise<Decoded> {
  const socket = createSocket(isIPv6(server.ip) ? 'udp6' : 'udp4');
  return new Promise((resolve, reject) => {
    const limit = clock.after(PEER_LIMITS.dnsTryMs, () => done(() => reject(silent())));
    const done = (settle: () => void): void => {
      limit.cancel();
      socket.removeAllListeners();
      // Late errors of a socket that is let go of are nobody's.
      socket.on('error', () => undefined);
      socket.close();
      settle();
    };
    socket.once('error', (error) => done(() => reject(error)));
    socket.on('message', (bytes) => {
      const packet = decoded(bytes);
      if (packet !== undefined && isAnswer(packet)) done(() => resolve(packet));
    });
    socket.connect(server.port, server.ip, () => socket.send(query));
  });
}

function overTcp(
  query: Buffer,
  server: Address,
  clock: Clock,
  isAnswer: (packet: Packet) => boolean,
): Promise<Decoded> {
  const socket = connect({ host: server.ip, port: server.port });
  let seen: Buffer = Buffer.alloc(0);
  return new Promise((resolve, reject) => {
    const limit = clock.after(PEER_LIMITS.dnsTryMs, () => done(() => reject(silent())));
    const done = (settle: () => void): void => {
      limit.cancel();
      socket.destroy();
      settle();
    };
    socket.once('error', (error) => done(() => reject(error)));
    socket.once('close', () => done(() => reject(new DnsFailure('it closed the connection'))));
    socket.once('connect', () => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(query.length);
      socket.write(Buffer.concat([length, query]));
    });
    socket.on('data', (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      if (seen.length < 2 || seen.length < 2 + seen.readUInt16BE(0)) return;
      const packet = decoded(seen.subarray(2, 2 + seen.readUInt16BE(0)));
      if (packet !== undefined && isAnswer(packet)) done(() => resolve(packet));
      else done(() => reject(new DnsFailure('its answer makes no sense')));
    });
  });
}

function decoded(bytes: Buffer): Decoded | undefined {
  try {
    return decode(bytes);
  } catch {
    // Not DNS: as if nothing had come.
    return undefined;
  }
}

function silent(): DnsFailure {
  return new DnsFailure(`no answer within ${PEER_LIMITS.dnsTryMs} ms`);
}
