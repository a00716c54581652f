import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Flag, FrameType, PREFACE, Setting } from '../../src/wire/frames.ts';
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
 * Random and damaged bytes: whatever comes, the server lives, the neighbours notice nothing, nothing is left behind.
 */

const METHODS = ['Unary', 'Later', 'Stream', 'Hold', 'Park', 'Count', 'Source', 'Big', 'Nix'];

let rig: Rig;
let witness: RawClient;
let witnessId = 1;

beforeAll(async () => {
  rig = await startRig({ requestBytesMax: 50_000, receiveBufferBytesMax: 500_000 });
  witness = await RawClient.open(rig.port);
});

afterAll(async () => {
  witness.close();
  await rig.close();
});

/** Sends pieces on a connection of its own, hears the end or silence, hangs up. */
async function provoke(pieces: readonly Uint8Array[]): Promise<void> {
  const client = new RawClient(rig.port);
  for (const piece of pieces) {
    client.send(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  client.socket.end();
  await client.closed();
  const id = witnessId;
  witnessId += 2;
  witness.send(request(id, '/test.Echo/Unary', 'fine'));
  expect((await witness.trailers(id)).fields.get('grpc-status')).toBe('0');
  witness.frames.length = 0;
}

const bytes = fc.uint8Array({ maxLength: 300 });
const streamId = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 2 ** 31 - 1 }));
const flags = fc.oneof(fc.constantFrom(0, 1, 4, 5, 8, 0x20), fc.integer({ min: 0, max: 255 }));

/** Any frame, well-formed in its length only. */
const anyFrame = fc
  .tuple(fc.integer({ min: 0, max: 11 }), flags, streamId, bytes)
  .map(([type, f, id, payload]) => frame(type, f, id, payload));

/** Frames that a client might send. */
const goodFrame = fc.oneof(
  fc
    .tuple(fc.integer({ min: 0, max: 20 }), fc.constantFrom(...METHODS), flags)
    .map(([n, name, f]) => requestHeaders(2 * n + 1, `/test.Echo/${name}`, [], f & Flag.endStream)),
  fc
    .tuple(fc.integer({ min: 0, max: 20 }), bytes, fc.boolean())
    .map(([n, body, end]) => frame(FrameType.data, end ? Flag.endStream : 0, 2 * n + 1, message(body))),
  fc
    .tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 2 ** 31 - 1 }))
    .map(([n, size]) => frame(FrameType.windowUpdate, 0, n === 0 ? 0 : 2 * n - 1, uint32(size))),
  fc
    .tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 13 }))
    .map(([n, code]) => frame(FrameType.rstStream, 0, 2 * n + 1, uint32(code))),
  fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 70_000 }))
    .map(([setting, value]) => settingsFrame([setting === Setting.enablePush ? 9 : setting, value])),
  fc
    .tuple(fc.integer({ min: 0, max: 20 }), fc.string(), fc.string())
    .map(([n, name, value]) =>
      frame(
        FrameType.headers,
        Flag.endHeaders,
        2 * n + 1,
        Buffer.concat([encodeHeaderBlock(GRPC_FIELDS), encodeIndexedLiteral(name, value)]),
      ),
    ),
);

describe('fuzz', { timeout: 180_000 }, () => {
  it('random bytes from the first one on', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { maxLength: 5 }), (pieces) => provoke(pieces)),
      { numRuns: 100 },
    );
  });

  it('random frames after a good beginning', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyFrame, { maxLength: 30 }), (frames) =>
        provoke([PREFACE, settingsFrame([]), ...frames]),
      ),
      { numRuns: 200 },
    );
  });

  it('plausible frames in any order, cut anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(goodFrame, { maxLength: 60 }),
        fc.integer({ min: 1, max: 400 }),
        async (frames, size) => {
          const all = Buffer.concat([PREFACE, settingsFrame([]), ...frames]);
          const pieces: Buffer[] = [];
          for (let at = 0; at < all.length; at += size) pieces.push(all.subarray(at, at + size));
          await provoke(pieces);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('a good conversation with a few bytes changed', async () => {
    const good = Buffer.concat([
      PREFACE,
      settingsFrame([Setting.initialWindowSize, 1000]),
      request(1, '/test.Echo/Unary', 'hello'),
      requestHeaders(3, '/test.Echo/Stream', ['x-key', 'value']),
      frame(FrameType.data, 0, 3, message('one')),
      frame(FrameType.ping, 0, 0, Buffer.alloc(8)),
      frame(FrameType.data, Flag.endStream, 3, message('two')),
      request(5, '/test.Echo/Big', '30000'),
      frame(FrameType.windowUpdate, 0, 0, uint32(100_000)),
      frame(FrameType.rstStream, 0, 5, uint32(8)),
    ]);
    const change = fc.tuple(fc.integer({ min: 24, max: good.length - 1 }), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
        const bad = Buffer.from(good);
        for (const [at, byte] of changes) bad[at] = byte;
        await provoke([bad]);
      }),
      { numRuns: 200 },
    );
  });

  it('leaves nothing behind', async () => {
    await until(() => rig.stats.connections.value === 1 && rig.stats.streams.value === 0);
    expect(rig.errors.filter((error) => !(error instanceof RangeError))).toEqual([]);
    for (const method of rig.stats.methods.values()) {
      const handled = method.handled.reduce((sum, count) => sum + count, 0);
      expect([method.path, handled]).toEqual([method.path, method.started.value]);
    }
  });
});
