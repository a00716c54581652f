import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ErrorCode, Flag, FrameType, PREFACE, Setting } from '../../src/wire/frames.ts';
import { encodeHeaderBlock, encodeIndexedLiteral } from '../../src/wire/hpack-encoder.ts';
import {
  frame,
  GRPC_FIELDS,
  message,
  RawClient,
  request,
  requestHeaders,
  settingsFrame,
  uint32,
} from './raw-client.ts';
import { type Rig, startRig, until } from './rig.ts';

/*
 * Hostile peers: each finds its limit, on its own connection, while a well-behaved client next to it notices nothing.
 */

const { data, headers, priority, rstStream, ping, windowUpdate, continuation } = FrameType;

let rig: Rig;
let witness: RawClient;
let witnessId = 1;

beforeAll(async () => {
  rig = await startRig({
    requestBytesMax: 100_000,
    receiveBufferBytesMax: 300_000,
    headerListBytesMax: 16_384,
    resetsPerSecondMax: 200,
    settingsPerSecondMax: 20,
    pingsPerSecondMax: 50,
    emptyFramesPerSecondMax: 500,
    windowUpdatesPerSecondMax: 2000,
    streamsMax: 100,
    prefaceTimeoutMs: 1000,
    sendStallMs: 1500,
    sendBufferBytesMax: 1_000_000,
    initialWindowBytes: 65_535,
    connectionWindowBytes: 200_000,
  });
  witness = await RawClient.open(rig.port);
});

afterAll(async () => {
  witness.close();
  await rig.close();
});

async function witnessIsFine(): Promise<void> {
  const id = witnessId;
  witnessId += 2;
  witness.send(request(id, '/test.Echo/Unary', 'still here'));
  expect((await witness.trailers(id)).fields.get('grpc-status')).toBe('0');
}

/** Sends `bytes` again and again until the connection ends; returns GOAWAY's code. */
async function flood(client: RawClient, bytes: (round: number) => Buffer): Promise<number | undefined> {
  for (let round = 0; !client.isClosed && round < 100_000; round++) {
    client.send(bytes(round));
    if (round % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (client.frames.some((f) => f.type === FrameType.goaway)) break;
  }
  return client.goawayCode();
}

describe('floods end in ENHANCE_YOUR_CALM', () => {
  it.each<[string, (round: number) => Buffer]>([
    [
      'rapid reset',
      (i) => Buffer.concat([requestHeaders(2 * i + 1, '/test.Echo/Park'), frame(rstStream, 0, 2 * i + 1, uint32(8))]),
    ],
    [
      'streams that we must reset',
      (i) => frame(headers, Flag.endHeaders, 2 * i + 1, encodeHeaderBlock([...GRPC_FIELDS, 'connection', 'x'])),
    ],
    ['SETTINGS', () => settingsFrame([Setting.initialWindowSize, 1])],
    ['SETTINGS acknowledgements', () => frame(FrameType.settings, Flag.ack, 0)],
    ['PING acknowledgements', () => frame(ping, Flag.ack, 0, Buffer.alloc(8))],
    ['PRIORITY', () => frame(priority, 0, 1, Buffer.alloc(5))],
    ['unknown frames', () => frame(0x42, 0, 0)],
    ['WINDOW_UPDATE', () => frame(windowUpdate, 0, 0, uint32(1))],
    [
      'empty DATA',
      (i) => Buffer.concat([i === 0 ? requestHeaders(1, '/test.Echo/Stream') : Buffer.alloc(0), frame(data, 0, 1)]),
    ],
    [
      'padding without DATA',
      (i) =>
        Buffer.concat([
          i === 0 ? requestHeaders(1, '/test.Echo/Stream') : Buffer.alloc(0),
          frame(data, Flag.padded, 1, Buffer.from([4, 0, 0, 0, 0])),
        ]),
    ],
    ['empty CONTINUATION', (i) => (i === 0 ? frame(headers, 0, 1) : frame(continuation, 0, 1))],
    [
      'CONTINUATION without end',
      (i) => (i === 0 ? frame(headers, 0, 1) : frame(continuation, 0, 1, Buffer.alloc(10_000, 0x82))),
    ],
  ])('%s', async (_name, bytes) => {
    const client = await RawClient.open(rig.port);
    expect(await flood(client, bytes)).toBe(ErrorCode.enhanceYourCalm);
    await witnessIsFine();
  });
});

describe('keepalive enforcement', () => {
  it('too many pings are GOAWAY too_many_pings, as grpc-go says it', async () => {
    const client = await RawClient.open(rig.port);
    const code = await flood(client, () => frame(ping, 0, 0, Buffer.alloc(8)));
    expect(code).toBe(ErrorCode.enhanceYourCalm);
    const goaway = client.frames.find((f) => f.type === FrameType.goaway);
    expect(goaway?.payload.subarray(8).toString()).toBe('too_many_pings');
    expect(client.frames.filter((f) => f.type === ping).length).toBe(3);
    await witnessIsFine();
  });

  it('pings after answers are no strikes', async () => {
    const client = await RawClient.open(rig.port);
    for (let i = 0; i < 10; i++) {
      client.send(request(2 * i + 1, '/test.Echo/Unary', 'x'), frame(ping, 0, 0, Buffer.alloc(8)));
      await client.trailers(2 * i + 1);
    }
    await until(() => client.frames.filter((f) => f.type === ping).length === 10);
    client.close();
  });
});

describe('memory', () => {
  it('an HPACK bomb is answered 431', async () => {
    const client = await RawClient.open(rig.port);
    const bomb = Buffer.concat([
      encodeHeaderBlock(GRPC_FIELDS),
      encodeIndexedLiteral('a', 'x'.repeat(3900)),
      Buffer.alloc(10_000, 0xbe),
    ]);
    client.send(frame(headers, Flag.endHeaders | Flag.endStream, 1, bomb));
    expect((await client.trailers(1)).fields.get(':status')).toBe('431');
    client.send(request(3, '/test.Echo/Unary', 'x'));
    expect((await client.trailers(3)).fields.get('grpc-status')).toBe('0');
    client.close();
  });

  it('an announced message costs nothing until it comes', async () => {
    const client = await RawClient.open(rig.port);
    const prefix = Buffer.from([0, 0, 1, 0x86, 0xa0]);
    for (let id = 1; id < 180; id += 2) client.send(requestHeaders(id, '/test.Echo/Unary'), frame(data, 0, id, prefix));
    client.send(request(181, '/test.Echo/Unary', 'x'));
    expect((await client.trailers(181)).fields.get('grpc-status')).toBe('0');
    client.close();
  });

  it('unfinished messages of one connection are bounded together', async () => {
    const client = await RawClient.open(rig.port);
    const prefix = Buffer.from([0, 0, 1, 0x86, 0xa0]);
    for (let id = 1; id < 100; id += 2) {
      client.send(
        requestHeaders(id, '/test.Echo/Unary'),
        frame(data, 0, id, Buffer.concat([prefix, Buffer.alloc(10_000)])),
      );
    }
    const end = await client.next((f) => f.fields.get('grpc-status') === '8');
    expect(end.fields.get('grpc-message')).toBe('too many bytes of unfinished requests on this connection');
    client.close();
    await witnessIsFine();
  });

  it('whatever became of them, ended calls are off the books', async () => {
    const client = await RawClient.open(rig.port);
    const half = Buffer.alloc(8000);
    const spoil: readonly Buffer[] = [message(''), message('', 2), Buffer.alloc(3)];
    for (let i = 0; i < 150; i++) {
      const id = 2 * i + 1;
      client.send(requestHeaders(id, '/test.Echo/Unary'));
      client.send(
        frame(data, 0, id, Buffer.concat([Buffer.from([0, 0, 0, 0x3e, 0x80]), half])),
        frame(data, 0, id, half),
      );
      client.send(frame(data, Flag.endStream, id, spoil[i % 3] ?? half));
      expect((await client.trailers(id)).fields.get('grpc-status')).toBe('13');
    }
    client.close();
  });

  it('a gzip bomb stops at the limit', async () => {
    const client = await RawClient.open(rig.port);
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    client.send(requestHeaders(1, '/test.Echo/Unary', ['grpc-encoding', 'gzip']));
    const bytes = message(bomb, 1);
    for (let at = 0; at < bytes.length; at += 16_000) {
      const piece = bytes.subarray(at, at + 16_000);
      client.send(frame(data, at + 16_000 >= bytes.length ? Flag.endStream : 0, 1, piece));
    }
    const end = await client.trailers(1);
    expect(end.fields.get('grpc-status')).toBe('8');
    expect(end.fields.get('grpc-message')).toBe('grpc: received message after decompression larger than max 100000');
    client.close();
  });

  it('more streams than announced are refused', async () => {
    const client = await RawClient.open(rig.port);
    for (let id = 1; id <= 201; id += 2) client.send(request(id, '/test.Echo/Park', 'x'));
    expect(await client.resetCode(201)).toBe(ErrorCode.refusedStream);
    client.close();
  });

  it('answers that no window lets out: new streams are refused, the finished answers reset after a while', async () => {
    const client = await RawClient.open(rig.port, [Setting.initialWindowSize, 0]);
    for (let id = 1; id <= 41; id += 2) client.send(request(id, '/test.Echo/Big', '90000'));
    expect(await client.resetCode(41)).toBe(ErrorCode.refusedStream);
    expect(await client.resetCode(1)).toBe(ErrorCode.cancel);
    client.close();
    await witnessIsFine();
  });
});

describe('windows', () => {
  it('more DATA than the stream\u2019s window is FLOW_CONTROL_ERROR on the stream', async () => {
    const client = await RawClient.open(rig.port);
    client.send(requestHeaders(1, '/test.Echo/Hold'), frame(data, 0, 1, message('x')));
    for (let i = 0; i < 5; i++) client.send(frame(data, 0, 1, Buffer.alloc(16_000)));
    expect(await client.resetCode(1)).toBe(ErrorCode.flowControlError);
    client.close();
  });
});

describe('slow peers', () => {
  it('no preface, a piece of it, or no SETTINGS after it: closed in time', async () => {
    const silent = new RawClient(rig.port);
    const halting = new RawClient(rig.port);
    const mute = new RawClient(rig.port);
    halting.send(PREFACE.subarray(0, 10));
    mute.send(PREFACE);
    await Promise.all([silent.closed(), halting.closed(), mute.closed()]);
    await witnessIsFine();
  });

  it('an HTTP/1.1 head that never ends: closed in time', async () => {
    const slow = new RawClient(rig.port);
    slow.send(Buffer.from('GET / HTTP/1.1\r\nx-a: '));
    await slow.closed();
    await witnessIsFine();
  });

  it('a peer that reads nothing is closed; its neighbours go on', async () => {
    const socket = connect({ host: '127.0.0.1', port: rig.port });
    socket.pause();
    const open = [Setting.initialWindowSize, 2 ** 31 - 1];
    socket.write(Buffer.concat([PREFACE, settingsFrame(open), frame(windowUpdate, 0, 0, uint32(2 ** 30))]));
    let closed = false;
    socket.on('close', () => {
      closed = true;
    });
    socket.on('error', () => socket.destroy());
    for (let id = 1; id < 2000 && !closed; id += 2) {
      socket.write(request(id, '/test.Echo/Big', '90000'));
      await sleep(1);
      if (id % 200 === 1) await witnessIsFine();
    }
    await until(() => rig.stats.connections.value === 1 || closed);
    socket.destroy();
    await witnessIsFine();
  });

  it('a half-closed connection gets nothing more', async () => {
    const client = await RawClient.open(rig.port);
    client.send(request(1, '/test.Echo/Park', 'x'));
    await until(() => rig.parked.length > 0);
    client.socket.end();
    await client.closed();
  });
});

describe('our own keepalive', () => {
  it('pings a silent peer and closes when nothing comes back', async () => {
    const strict = await startRig({ keepaliveIntervalMs: 500, keepaliveTimeoutMs: 500 });
    const client = await RawClient.open(strict.port);
    // A raw client does not answer pings.
    await client.closed();
    expect(client.frames.some((f) => f.type === ping && (f.flags & Flag.ack) === 0)).toBe(true);
    await strict.close();
  });
});

describe('connections', () => {
  it('beyond the limit are closed at once, the others stay', async () => {
    const small = await startRig({ connectionsMax: 3 });
    const kept = await Promise.all([
      RawClient.open(small.port),
      RawClient.open(small.port),
      RawClient.open(small.port),
    ]);
    const extra = new RawClient(small.port);
    await extra.closed();
    for (const client of kept) {
      client.send(request(1, '/test.Echo/Unary', 'x'));
      await client.trailers(1);
      client.close();
    }
    await small.close();
  });
});
