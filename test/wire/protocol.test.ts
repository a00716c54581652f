import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ErrorCode, Flag, FrameType, PREFACE, Setting } from '../../src/wire/frames.ts';
import { encodeHeaderBlock } from '../../src/wire/hpack-encoder.ts';
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
 * RFC 9113 by the letter: what is a connection's fault, what a stream's, and what is none.
 */

let rig: Rig;
const clients: RawClient[] = [];

beforeAll(async () => {
  rig = await startRig();
});

afterAll(() => rig.close());

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

async function open(settings: readonly number[] = []): Promise<RawClient> {
  const client = await RawClient.open(rig.port, settings);
  clients.push(client);
  return client;
}

const DONE = request(1, '/test.Echo/Unary', 'x');
const OPEN = requestHeaders(1, '/test.Echo/Stream');
const { data, headers, priority, rstStream, settings, pushPromise, ping, goaway, windowUpdate, continuation } =
  FrameType;
const { protocolError, frameSizeError, flowControlError, streamClosed, compressionError } = ErrorCode;

function head(fields: readonly string[], flags = Flag.endHeaders | Flag.endStream): Buffer {
  return frame(headers, flags, 1, encodeHeaderBlock(fields));
}

function without(name: string): string[] {
  return GRPC_FIELDS.filter((_, i) => GRPC_FIELDS[i - (i % 2)] !== name);
}

describe('connection errors', () => {
  it.each<[string, number, readonly Buffer[]]>([
    ['DATA on stream 0', protocolError, [frame(data, 0, 0, Buffer.from('x'))]],
    ['DATA on an idle stream', protocolError, [frame(data, 0, 5, Buffer.from('x'))]],
    ['DATA on an even stream', protocolError, [frame(data, 0, 2, Buffer.from('x'))]],
    ['DATA padded beyond its end', protocolError, [OPEN, frame(data, Flag.padded, 1, Buffer.from([9, 1, 2]))]],
    ['HEADERS on stream 0', protocolError, [frame(headers, Flag.endHeaders, 0, encodeHeaderBlock(GRPC_FIELDS))]],
    ['HEADERS on an even stream', protocolError, [frame(headers, Flag.endHeaders, 2, encodeHeaderBlock(GRPC_FIELDS))]],
    [
      'HEADERS padded beyond its end',
      protocolError,
      [frame(headers, Flag.endHeaders | Flag.padded, 1, Buffer.from([9, 1]))],
    ],
    ['HEADERS on a closed stream', streamClosed, [DONE, requestHeaders(1, '/test.Echo/Unary')]],
    [
      'a stream id lower than one before',
      streamClosed,
      [request(5, '/test.Echo/Unary', 'x'), requestHeaders(3, '/test.Echo/Unary')],
    ],
    [
      'a frame within a header block',
      protocolError,
      [frame(headers, 0, 1, encodeHeaderBlock(GRPC_FIELDS)), frame(ping, 0, 0, Buffer.alloc(8))],
    ],
    [
      'CONTINUATION of another stream',
      protocolError,
      [frame(headers, 0, 1, encodeHeaderBlock(GRPC_FIELDS)), frame(continuation, Flag.endHeaders, 3)],
    ],
    ['CONTINUATION without HEADERS', protocolError, [frame(continuation, Flag.endHeaders, 1)]],
    [
      'a bad header block',
      compressionError,
      [frame(headers, Flag.endHeaders, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff]))],
    ],
    ['PRIORITY on stream 0', protocolError, [frame(priority, 0, 0, Buffer.alloc(5))]],
    ['RST_STREAM on stream 0', protocolError, [frame(rstStream, 0, 0, uint32(8))]],
    ['RST_STREAM on an idle stream', protocolError, [frame(rstStream, 0, 7, uint32(8))]],
    ['RST_STREAM of another length', frameSizeError, [OPEN, frame(rstStream, 0, 1, Buffer.alloc(5))]],
    ['SETTINGS on a stream', protocolError, [frame(settings, 0, 1)]],
    ['SETTINGS of another length', frameSizeError, [frame(settings, 0, 0, Buffer.alloc(5))]],
    ['SETTINGS acknowledgement with content', frameSizeError, [frame(settings, Flag.ack, 0, Buffer.alloc(6))]],
    ['ENABLE_PUSH 2', protocolError, [settingsFrame([Setting.enablePush, 2])]],
    ['INITIAL_WINDOW_SIZE 2^31', flowControlError, [settingsFrame([Setting.initialWindowSize, 2 ** 31])]],
    ['MAX_FRAME_SIZE 16383', protocolError, [settingsFrame([Setting.maxFrameSize, 16_383])]],
    ['MAX_FRAME_SIZE 2^24', protocolError, [settingsFrame([Setting.maxFrameSize, 2 ** 24])]],
    ['PUSH_PROMISE', protocolError, [frame(pushPromise, Flag.endHeaders, 1, uint32(2))]],
    ['PING on a stream', protocolError, [frame(ping, 0, 1, Buffer.alloc(8))]],
    ['PING of another length', frameSizeError, [frame(ping, 0, 0, Buffer.alloc(7))]],
    ['GOAWAY on a stream', protocolError, [frame(goaway, 0, 1, Buffer.alloc(8))]],
    ['WINDOW_UPDATE of another length', frameSizeError, [frame(windowUpdate, 0, 0, Buffer.alloc(3))]],
    ['WINDOW_UPDATE of 0 for the connection', protocolError, [frame(windowUpdate, 0, 0, uint32(0))]],
    ['WINDOW_UPDATE on an idle stream', protocolError, [frame(windowUpdate, 0, 9, uint32(1))]],
    ['the connection window beyond 2^31-1', flowControlError, [frame(windowUpdate, 0, 0, uint32(2 ** 31 - 1))]],
    [
      'INITIAL_WINDOW_SIZE that overflows a stream',
      flowControlError,
      [
        OPEN,
        frame(windowUpdate, 0, 1, uint32(2 ** 31 - 1 - 65_535)),
        settingsFrame([Setting.initialWindowSize, 65_536]),
      ],
    ],
    ['a frame beyond 16 KiB', frameSizeError, [frame(data, 0, 1, Buffer.alloc(16_385))]],
  ])('%s', async (_name, code, frames) => {
    const client = await open();
    client.send(...frames);
    expect(await client.goawayCode()).toBe(code);
  });

  it('a first frame that is not SETTINGS', async () => {
    const client = new RawClient(rig.port);
    clients.push(client);
    client.send(PREFACE, frame(ping, 0, 0, Buffer.alloc(8)));
    expect(await client.goawayCode()).toBe(protocolError);
  });
});

describe('stream errors, after which the connection goes on', () => {
  it.each<[string, number, readonly Buffer[]]>([
    ['WINDOW_UPDATE of 0', protocolError, [OPEN, frame(windowUpdate, 0, 1, uint32(0))]],
    ['a window beyond 2^31-1', flowControlError, [OPEN, frame(windowUpdate, 0, 1, uint32(2 ** 31 - 1))]],
    [
      'DATA after END_STREAM',
      streamClosed,
      [
        requestHeaders(1, '/test.Echo/Park'),
        frame(data, Flag.endStream, 1, message('x')),
        frame(data, 0, 1, message('x')),
      ],
    ],
    ['DATA on a closed stream', streamClosed, [DONE, frame(data, 0, 1, message('x'))]],
    [
      'HEADERS after END_STREAM',
      streamClosed,
      [requestHeaders(1, '/test.Echo/Park'), frame(data, Flag.endStream, 1, message('x')), requestHeaders(1, '/x')],
    ],
    ['trailers without END_STREAM', protocolError, [OPEN, head(['a', 'b'], Flag.endHeaders)]],
    ['trailers with a pseudo-header', protocolError, [OPEN, head([':path', '/'])]],
    ['PRIORITY of another length', frameSizeError, [frame(priority, 0, 1, Buffer.alloc(4))]],
    ['a name in capitals', protocolError, [head([...GRPC_FIELDS, 'X-A', 'b'])]],
    ['an empty name', protocolError, [head([...GRPC_FIELDS, '', 'b'])]],
    ['a name with a blank', protocolError, [head([...GRPC_FIELDS, 'a b', 'c'])]],
    ['a value with a line break', protocolError, [head([...GRPC_FIELDS, 'a', 'b\nc'])]],
    ['a value with NUL', protocolError, [head([...GRPC_FIELDS, 'a', 'b\0c'])]],
    ['a value that begins with a blank', protocolError, [head([...GRPC_FIELDS, 'a', ' b'])]],
    ['connection', protocolError, [head([...GRPC_FIELDS, 'connection', 'close'])]],
    ['transfer-encoding', protocolError, [head([...GRPC_FIELDS, 'transfer-encoding', 'chunked'])]],
    ['te other than trailers', protocolError, [head([...without('te'), 'te', 'gzip'])]],
    ['a pseudo-header after a field', protocolError, [head([...without(':path'), ':path', '/x'])]],
    ['a pseudo-header twice', protocolError, [head([':path', '/x', ...GRPC_FIELDS])]],
    ['an unknown pseudo-header', protocolError, [head([':status', '200', ...GRPC_FIELDS])]],
    ['no :method', protocolError, [head(without(':method'))]],
    ['no :scheme', protocolError, [head(without(':scheme'))]],
    ['no :path', protocolError, [head(without(':path'))]],
    [
      'content-length other than the body',
      protocolError,
      [requestHeaders(1, '/test.Echo/Unary', ['content-length', '9']), frame(data, Flag.endStream, 1, message('x'))],
    ],
    [
      'content-length that is no number',
      protocolError,
      [requestHeaders(1, '/test.Echo/Unary', ['content-length', '-1'])],
    ],
  ])('%s', async (_name, code, frames) => {
    const client = await open();
    client.send(...frames);
    expect(await client.resetCode(1)).toBe(code);
    client.send(request(7, '/test.Echo/Unary', 'after'));
    expect((await client.trailers(7)).fields.get('grpc-status')).toBe('0');
    expect(client.data(7)).toEqual(message('after'));
  });
});

describe('what is no fault', () => {
  it('unknown frames, unknown settings, PRIORITY on idle streams, GOAWAY', async () => {
    const client = await open();
    client.send(
      frame(0x77, 0xff, 3, Buffer.from('?')),
      settingsFrame([0x99, 1]),
      frame(priority, 0, 9, Buffer.alloc(5)),
      frame(goaway, 0, 0, Buffer.alloc(8)),
      request(1, '/test.Echo/Unary', 'x'),
    );
    expect((await client.trailers(1)).fields.get('grpc-status')).toBe('0');
  });

  it('padding and priority fields', async () => {
    const client = await open();
    const block = encodeHeaderBlock(GRPC_FIELDS);
    const padded = Buffer.concat([Buffer.from([3]), Buffer.alloc(5), block, Buffer.alloc(3)]);
    const body = Buffer.concat([Buffer.from([200]), message('padded'), Buffer.alloc(200)]);
    client.send(
      frame(headers, Flag.endHeaders | Flag.padded | Flag.priority, 1, padded),
      frame(data, Flag.endStream | Flag.padded, 1, body),
    );
    await client.trailers(1);
    expect(client.data(1)).toEqual(message('padded'));
  });

  it('a header block in many pieces, and bytes one by one', async () => {
    const client = await open();
    const block = encodeHeaderBlock(GRPC_FIELDS);
    const bytes = Buffer.concat([
      frame(headers, 0, 1, block.subarray(0, 5)),
      frame(continuation, 0, 1, block.subarray(5, 6)),
      frame(continuation, 0, 1),
      frame(continuation, Flag.endHeaders, 1, block.subarray(6)),
      frame(data, 0, 1, message('in pieces').subarray(0, 3)),
      frame(data, 0, 1, message('in pieces').subarray(3)),
      frame(data, Flag.endStream, 1),
    ]);
    for (const byte of bytes) {
      client.send(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await client.trailers(1);
    expect(client.data(1)).toEqual(message('in pieces'));
  });

  it('frames that were on their way when we closed the stream', async () => {
    const client = await open();
    // Refused at the head: DATA, trailers and RST_STREAM follow.
    client.send(
      requestHeaders(1, '/test.Nobody/X'),
      frame(data, 0, 1, message('x')),
      head(['a', 'b']),
      frame(windowUpdate, 0, 1, uint32(5)),
      frame(rstStream, 0, 1, uint32(8)),
      request(3, '/test.Echo/Unary', 'x'),
    );
    expect((await client.trailers(1)).fields.get('grpc-status')).toBe('12');
    expect(await client.resetCode(1)).toBe(ErrorCode.noError);
    expect((await client.trailers(3)).fields.get('grpc-status')).toBe('0');
  });

  it('a client whose header table has no room: the first block says so, then literals', async () => {
    const client = await open([Setting.headerTableSize, 0]);
    for (const id of [1, 3, 5]) {
      client.send(request(id, '/test.Echo/Unary', 'x'));
      const first = await client.next((f) => f.type === headers && f.streamId === id);
      expect(first.payload[0]).toBe(id === 1 ? 0x20 : 0x88);
      expect(first.fields.get('content-type')).toBe('application/grpc');
      expect((await client.trailers(id)).fields.get('grpc-status')).toBe('0');
    }
  });

  it('answers whose fields went into the client\u2019s table in either order', async () => {
    for (const paths of [
      ['Unary', 'Refuse', 'Unary', 'Stream'],
      ['Refuse', 'Stream', 'Unary', 'Unary'],
    ]) {
      const client = await open();
      for (const [i, name] of paths.entries()) {
        const id = 2 * i + 1;
        client.send(request(id, `/test.Echo/${name}`, 'x'));
        const end = await client.trailers(id);
        expect(end.fields.get('grpc-status')).toBe(name === 'Refuse' ? '5' : '0');
        if (name === 'Refuse') expect(end.fields.get('grpc-message')).toBe('no %E2%80%93 100%25');
        else expect(client.data(id)).toEqual(message('x'));
      }
    }
  });
});

describe('header blocks that repeat', () => {
  it('mean the same while the dynamic table stands, and the new thing once it moved', async () => {
    const client = await open();
    const indexing = (name: string, value: string): Buffer =>
      Buffer.concat([Buffer.of(0x40, name.length), Buffer.from(name), Buffer.of(value.length), Buffer.from(value)]);
    const fixed = encodeHeaderBlock(GRPC_FIELDS.map((f) => (f === '/test.Echo/Unary' ? '/test.Echo/Metadata' : f)));
    const body = (id: number): Buffer => frame(data, Flag.endStream, id, message(''));
    const ask = async (id: number, block: Buffer): Promise<unknown> => {
      client.send(frame(headers, Flag.endHeaders, id, block), body(id));
      await client.trailers(id);
      return Object.fromEntries(JSON.parse(client.data(id).subarray(5).toString()).metadata)['x-who'];
    };
    const newest = Buffer.concat([fixed, Buffer.of(0xbe)]);
    expect(await ask(1, Buffer.concat([fixed, indexing('x-who', 'ann')]))).toBe('ann');
    expect(await ask(3, newest)).toBe('ann');
    expect(await ask(5, newest)).toBe('ann');
    expect(await ask(7, Buffer.concat([fixed, indexing('x-who', 'bob')]))).toBe('bob');
    expect(await ask(9, newest)).toBe('bob');
    // A size update to 0 and back empties the table: the same bytes are now a compression error.
    expect(await ask(11, Buffer.concat([Buffer.of(0x20, 0x3f, 0xe1, 0x1f), fixed]))).toBeUndefined();
    client.send(frame(headers, Flag.endHeaders, 13, newest));
    expect(await client.goawayCode()).toBe(compressionError);
  });
});

describe('gRPC over raw frames', () => {
  it.each<[string, string, string, readonly Buffer[]]>([
    ['an unknown service', '12', 'unknown service test.Nobody', [request(1, '/test.Nobody/X', 'x')]],
    ['an unknown method', '12', 'unknown method Nix for service test.Echo', [request(1, '/test.Echo/Nix', 'x')]],
    ['a path without a method', '12', 'malformed method name: "x"', [request(1, 'x', 'x')]],
    [
      'no message',
      '13',
      'cardinality violation: received no request message from non-client-streaming RPC',
      [requestHeaders(1, '/test.Echo/Unary', [], Flag.endStream)],
    ],
    [
      'two messages',
      '13',
      'cardinality violation: received multiple request messages for non-client-streaming RPC',
      [
        requestHeaders(1, '/test.Echo/Unary'),
        frame(data, Flag.endStream, 1, Buffer.concat([message('x'), message('y')])),
      ],
    ],
    [
      'a message cut short',
      '13',
      'unexpected EOF',
      [requestHeaders(1, '/test.Echo/Unary'), frame(data, Flag.endStream, 1, message('xyz').subarray(0, 6))],
    ],
    [
      'a prefix cut short',
      '13',
      'unexpected EOF',
      [requestHeaders(1, '/test.Echo/Unary'), frame(data, Flag.endStream, 1, Buffer.alloc(3))],
    ],
    [
      'a compressed message without an encoding',
      '13',
      'grpc: compressed flag set with identity or empty encoding',
      [requestHeaders(1, '/test.Echo/Unary'), frame(data, Flag.endStream, 1, message('x', 1))],
    ],
    [
      'an unknown flag',
      '13',
      'grpc: received unexpected payload format 2',
      [requestHeaders(1, '/test.Echo/Unary'), frame(data, Flag.endStream, 1, message('x', 2))],
    ],
    [
      'an unknown encoding',
      '12',
      'grpc: Decompressor is not installed for grpc-encoding "br"',
      [requestHeaders(1, '/test.Echo/Unary', ['grpc-encoding', 'br'])],
    ],
    [
      'a message too large, announced only',
      '8',
      'grpc: received message larger than max (2097153 vs. 2097152)',
      [requestHeaders(1, '/test.Echo/Unary'), frame(data, 0, 1, Buffer.from([0, 0, 0x20, 0, 1]))],
    ],
    ['a broken handler', '2', 'broken', [request(1, '/test.Echo/Break', 'x')]],
    [
      'a deadline in the past',
      '4',
      'context deadline exceeded',
      [requestHeaders(1, '/test.Echo/Unary', ['grpc-timeout', '0n'])],
    ],
  ])('%s', async (_name, status, text, frames) => {
    const client = await open();
    client.send(...frames);
    const end = await client.trailers(1);
    expect([end.fields.get('grpc-status'), end.fields.get('grpc-message')]).toEqual([status, text]);
  });

  it.each<[string, string, readonly string[]]>([
    ['a content-type that is nearly gRPC', '415', [...without('content-type'), 'content-type', 'application/grpcx']],
    ['a method of ours with another content-type', '415', [...without('content-type'), 'content-type', 'text/plain']],
    ['GET', '405', [':method', 'GET', ...without(':method')]],
    ['a malformed timeout', '400', [...GRPC_FIELDS, 'grpc-timeout', '1x']],
  ])('%s is HTTP %s', async (_name, status, fields) => {
    const client = await open();
    client.send(head(fields));
    expect((await client.trailers(1)).fields.get(':status')).toBe(status);
  });

  it('reads content-types with a suffix or parameters', async () => {
    const client = await open();
    for (const [i, type] of ['application/grpc+proto', 'application/grpc;charset=utf-8'].entries()) {
      const fields = [...without('content-type'), 'content-type', type];
      client.send(frame(headers, Flag.endHeaders, 2 * i + 1, encodeHeaderBlock(fields)));
      client.send(frame(data, Flag.endStream, 2 * i + 1, message('x')));
      expect((await client.trailers(2 * i + 1)).fields.get('grpc-status')).toBe('0');
    }
  });

  it('a request in frames of one byte, several messages in one frame', async () => {
    const client = await open();
    client.send(OPEN);
    const bytes = Buffer.concat([message('one'), message(''), message('three')]);
    for (const byte of bytes) client.send(frame(data, 0, 1, Buffer.of(byte)));
    client.send(frame(data, Flag.endStream, 1, bytes));
    await client.trailers(1);
    expect(client.data(1)).toEqual(Buffer.concat([bytes, bytes]));
  });

  it('what came in one read may be answered together, in the same write as the rest', async () => {
    const client = await open();
    const before = rig.events.length;
    client.send(
      request(1, '/test.Echo/Together', 'a'),
      request(3, '/test.Echo/Unary', 'now'),
      request(5, '/test.Echo/Together', 'bc'),
      request(7, '/test.Echo/Together', 'gone'),
      frame(rstStream, 0, 7, uint32(ErrorCode.cancel)),
    );
    await client.trailers(5);
    expect(rig.events.slice(before)).toEqual([
      'handed 1',
      'handed 2',
      'handed 4',
      'answered 1',
      'answered 2',
      'answered 4',
    ]);
    const ended = client.frames.filter(({ type, flags }) => type === headers && (flags & Flag.endStream) !== 0);
    expect(ended.map(({ streamId }) => streamId)).toEqual([3, 1, 5]);
    expect(client.data(5)).toEqual(message('bc'));
    await client.roundTrip();
    expect(client.frames.filter(({ streamId }) => streamId === 7)).toEqual([]);
  });

  it('a reset tells the handler', async () => {
    const client = await open();
    const before = rig.events.length;
    client.send(request(1, '/test.Echo/Park', 'x'), OPEN.subarray(0, 0), requestHeaders(3, '/test.Echo/Stream'));
    client.send(frame(rstStream, 0, 1, uint32(ErrorCode.cancel)), frame(rstStream, 0, 3, uint32(ErrorCode.cancel)));
    await until(() => rig.events.length >= before + 2);
    expect(rig.events.slice(before)).toEqual(['aborted', 'closed']);
    expect(rig.stats.methods.get('/test.Echo/Park')?.handled[1]).toBeGreaterThan(0);
    // The late answer goes nowhere.
    rig.parked.at(-1)?.answer(Buffer.from('late'));
    client.send(request(5, '/test.Echo/Unary', 'x'));
    await client.trailers(5);
    expect(client.data(1).length).toBe(0);
  });

  it('a lost connection tells the handler', async () => {
    const client = await open();
    const before = rig.events.length;
    client.send(request(1, '/test.Echo/Park', 'x'));
    await until(() => rig.parked.length > 0);
    await client.roundTrip();
    client.close();
    await until(() => rig.events.length > before);
    expect(rig.events.slice(before)).toEqual(['aborted']);
  });
});
