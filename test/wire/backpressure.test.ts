import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Flag, FrameType, PREFACE, Setting } from '../../src/wire/frames.ts';
import { frame, message, RawClient, request, requestHeaders, settingsFrame, uint32 } from './raw-client.ts';
import { type Rig, startRig, until } from './rig.ts';

/*
 * Who is slow pays: a slow client makes its source wait, a slow handler makes its client wait, and nobody else.
 */

const { data, windowUpdate } = FrameType;

let rig: Rig;

beforeAll(async () => {
  rig = await startRig({ streamSendHighWaterBytes: 50_000, initialWindowBytes: 65_535 });
});

afterAll(() => rig.close());

describe('a client that opens no window', () => {
  it('stops its source at the high-water mark; the source goes on when there is room', async () => {
    const client = await RawClient.open(rig.port, [Setting.initialWindowSize, 1000]);
    client.send(requestHeaders(1, '/test.Echo/Source'));
    await until(() => rig.sources.length === 1);
    const source = rig.sources[0];
    if (source === undefined) throw new Error('no source');
    const piece = Buffer.alloc(1000, 1);
    let sent = 1;
    while (source.send(piece)) sent++;
    expect(source.bufferedBytes).toBeGreaterThan(50_000);
    expect(source.bufferedBytes).toBeLessThan(52_010);
    expect(rig.events).toEqual([]);

    // Its neighbour on the same connection is not held up.
    client.send(request(3, '/test.Echo/Unary', 'quick'));
    await client.trailers(3);
    expect(client.data(3)).toEqual(message('quick'));

    client.send(frame(windowUpdate, 0, 1, uint32(40_000)));
    await until(() => rig.events.includes('drain'));
    expect(rig.events).toEqual(['drain']);
    expect(source.bufferedBytes).toBeLessThan(25_000);
    source.end();
    client.send(frame(windowUpdate, 0, 1, uint32(1_000_000)));
    await client.trailers(1);
    expect(client.data(1).length).toBe(sent * 1005);
    client.close();
  });

  it('keeps the order and the bytes of what waited, shared tails included', async () => {
    const client = await RawClient.open(rig.port, [Setting.initialWindowSize, 0]);
    client.send(requestHeaders(1, '/test.Echo/Source'));
    await until(() => rig.sources.length === 2);
    const source = rig.sources[1];
    const expected: Buffer[] = [];
    const tail = Buffer.alloc(700, 9);
    const scratch = Buffer.alloc(30);
    for (let i = 0; i < 50; i++) {
      scratch.fill(i);
      source?.sendParts(scratch, tail);
      expected.push(message(Buffer.concat([scratch, tail])));
      source?.send(scratch);
      expected.push(message(Buffer.from(scratch)));
    }
    source?.end();
    const all = Buffer.concat(expected);
    for (let left = all.length; left > 0; left -= 333) {
      client.send(frame(windowUpdate, 0, 1, uint32(333)));
      if (left % 7 === 0) await client.roundTrip();
      else await new Promise((resolve) => setImmediate(resolve));
      if (client.isClosed) break;
    }
    await client.trailers(1);
    expect(client.data(1).equals(all)).toBe(true);
    client.close();
  });

  it('large answers of many streams share the connection, a frame each in turn', async () => {
    const client = await RawClient.open(rig.port, [Setting.initialWindowSize, 1_000_000]);
    for (const id of [1, 3, 5]) client.send(request(id, '/test.Echo/Big', '200000'));
    await client.roundTrip();
    client.send(frame(windowUpdate, 0, 0, uint32(10_000_000)));
    await Promise.all([1, 3, 5].map((id) => client.trailers(id)));
    for (const id of [1, 3, 5]) expect(client.data(id).length).toBe(200_005);
    const order = client.frames.filter((f) => f.type === data).map((f) => f.streamId);
    const firstEnd = order.lastIndexOf(1);
    expect(order.slice(0, firstEnd)).toContain(3);
    expect(order.slice(0, firstEnd)).toContain(5);
    client.close();
  });
});

describe('a client that reads nothing', () => {
  it('stops its source by the socket, and gets everything once it reads', async () => {
    const socket = connect({ host: '127.0.0.1', port: rig.port });
    socket.pause();
    const windows = frame(windowUpdate, 0, 0, uint32(2 ** 30));
    socket.write(Buffer.concat([PREFACE, settingsFrame([Setting.initialWindowSize, 2 ** 30]), windows]));
    socket.write(requestHeaders(1, '/test.Echo/Source'));
    await until(() => rig.sources.length === 3);
    const source = rig.sources[2];
    const before = rig.events.length;
    const piece = Buffer.alloc(10_000, 3);
    let sent = 0;
    for (let isOpen = true; isOpen; ) {
      for (let i = 0; i < 10 && isOpen; i++) {
        isOpen = source?.send(piece) ?? false;
        sent++;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(rig.events.length).toBe(before);
    let received = 0;
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    socket.resume();
    await until(() => rig.events.length > before);
    expect(rig.events.slice(before)).toEqual(['drain']);
    source?.end();
    await until(() => received > sent * 10_005);
    socket.destroy();
  });
});

describe('a handler that holds back', () => {
  it('holds its sender\u2019s window, and only that', async () => {
    const client = await RawClient.open(rig.port);
    const before = rig.events.length;
    client.send(requestHeaders(1, '/test.Echo/Hold'));
    // Three messages fill most of the window of 65,535 bytes; the handler takes one.
    for (let i = 0; i < 3; i++) {
      const bytes = message(Buffer.alloc(20_000));
      client.send(frame(data, 0, 1, bytes.subarray(0, 16_000)), frame(data, 0, 1, bytes.subarray(16_000)));
    }
    await client.roundTrip();
    expect(rig.events.slice(before)).toEqual(['message 20000']);
    // The first came while nothing was held; what follows is not given back.
    const given = (): number =>
      client.frames
        .filter((f) => f.type === windowUpdate && f.streamId === 1)
        .reduce((sum, f) => sum + f.payload.readUInt32BE(0), 0);
    expect(given()).toBe(0);

    client.send(request(3, '/test.Echo/Unary', 'quick'));
    await client.trailers(3);

    for (let i = 0; i < 2; i++) {
      rig.release();
      await until(() => rig.events.length === before + i + 2);
    }
    rig.release();
    await until(() => given() > 0);
    expect(given()).toBe(60_015);
    client.send(frame(data, Flag.endStream, 1));
    expect((await client.trailers(1)).fields.get('grpc-status')).toBe('0');
    client.close();
  });

  it('hears of the end after the messages', async () => {
    const client = await RawClient.open(rig.port);
    const before = rig.events.length;
    client.send(requestHeaders(1, '/test.Echo/Hold'));
    client.send(frame(data, Flag.endStream, 1, Buffer.concat([message('a'), message('bc')])));
    await client.roundTrip();
    rig.release();
    await until(() => rig.events.length === before + 2);
    expect(client.frames.some((f) => f.streamId === 1)).toBe(false);
    rig.release();
    await client.trailers(1);
    expect(rig.events.slice(before)).toEqual(['message 1', 'message 2']);
    client.close();
  });
});
