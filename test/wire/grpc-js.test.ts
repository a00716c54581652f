import {
  Client,
  compressionAlgorithms,
  credentials,
  type Deadline,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Rig, startRig, until } from './rig.ts';

/*
 * A foreign client: grpc-js, which knows nothing of how our frames come about.
 */

let rig: Rig;
let client: Client;

beforeAll(async () => {
  rig = await startRig();
  client = newClient();
});

afterAll(async () => {
  client.close();
  await rig.close();
});

function newClient(options: Readonly<Record<string, number>> = {}): Client {
  return new Client(`127.0.0.1:${rig.port}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc.use_local_subchannel_pool': 1,
    ...options,
  });
}

const same = (bytes: Buffer): Buffer => bytes;

function unary(method: string, body: Buffer, metadata = new Metadata(), deadline?: Deadline): Promise<Buffer> {
  return call(client, method, body, metadata, deadline);
}

function call(from: Client, method: string, body: Buffer, metadata = new Metadata(), deadline?: Deadline) {
  return new Promise<Buffer>((resolve, reject) => {
    const options = deadline === undefined ? {} : { deadline };
    from.makeUnaryRequest(`/test.Echo/${method}`, same, same, body, metadata, options, (error, value) => {
      if (error !== null) reject(error);
      else resolve(value ?? Buffer.alloc(0));
    });
  });
}

async function failure(promise: Promise<unknown>): Promise<[number, string]> {
  const error = await promise.then(
    () => undefined,
    (reason: ServiceError) => reason,
  );
  return [error?.code ?? -1, error?.details ?? ''];
}

describe('unary', () => {
  it('echoes, empty to large', async () => {
    for (const bytes of [0, 1, 100, 16_379, 16_380, 70_000, 2_000_000]) {
      const body = Buffer.alloc(bytes, bytes % 251);
      expect((await unary('Unary', body)).equals(body)).toBe(true);
      expect((await unary('Later', body)).equals(body)).toBe(true);
    }
  });

  it('answers far larger than any window', async () => {
    expect((await unary('Big', Buffer.from('20000000'))).length).toBe(20_000_000);
  });

  it('a thousand at once', async () => {
    const bodies = Array.from({ length: 1000 }, (_, i) => Buffer.from(`call ${i}`));
    const answers = await Promise.all(bodies.map((body, i) => unary(i % 2 === 0 ? 'Unary' : 'Later', body)));
    expect(answers).toEqual(bodies);
  });

  it('metadata, repeated and binary', async () => {
    const metadata = new Metadata();
    metadata.add('x-a', 'one');
    metadata.add('x-a', 'two');
    metadata.add('token-bin', Buffer.from([0, 255]));
    const seen = JSON.parse((await unary('Metadata', Buffer.alloc(0), metadata)).toString());
    const map = new Map<string, string>(seen.metadata);
    expect(map.get('x-a')?.split(/, ?/)).toEqual(['one', 'two']);
    expect(map.get('token-bin')).toMatch(/^AP8=?$/);
    expect([...map.keys()].some((name) => name.startsWith(':'))).toBe(false);
    expect(seen.peer).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(seen.path).toBe('/test.Echo/Metadata');
  });

  it('errors with their texts', async () => {
    expect(await failure(unary('Refuse', Buffer.alloc(0)))).toEqual([status.NOT_FOUND, 'no – 100%']);
    expect(await failure(unary('Nix', Buffer.alloc(0)))).toEqual([
      status.UNIMPLEMENTED,
      'unknown method Nix for service test.Echo',
    ]);
    const before = rig.errors.length;
    expect(await failure(unary('Break', Buffer.alloc(0)))).toEqual([status.UNKNOWN, 'broken']);
    expect(rig.errors.slice(before)).toEqual([new TypeError('broken')]);
  });

  it('too large a message', async () => {
    expect(await failure(unary('Unary', Buffer.alloc(3_000_000)))).toEqual([
      status.RESOURCE_EXHAUSTED,
      'grpc: received message larger than max (3000000 vs. 2097152)',
    ]);
  });

  it('gzip', async () => {
    const zipped = newClient({ 'grpc.default_compression_algorithm': compressionAlgorithms.gzip });
    for (const bytes of [0, 10, 500_000]) {
      expect((await call(zipped, 'Size', Buffer.alloc(bytes, 7))).toString()).toBe(String(bytes));
    }
    expect(await failure(call(zipped, 'Size', Buffer.alloc(3_000_000)))).toEqual([
      status.RESOURCE_EXHAUSTED,
      'grpc: received message after decompression larger than max 2097152',
    ]);
    zipped.close();
  });

  it('a deadline aborts the handler', async () => {
    const before = rig.events.length;
    const [code] = await failure(unary('Park', Buffer.alloc(0), new Metadata(), Date.now() + 100));
    expect(code).toBe(status.DEADLINE_EXCEEDED);
    await until(() => rig.events.length > before);
    expect(rig.events.slice(before)).toEqual(['aborted']);
    expect(rig.parked.at(-1)?.deadlineMs).toBeGreaterThan(0);
  });

  it('cancellation aborts the handler', async () => {
    const before = rig.events.length;
    const parked = rig.parked.length;
    const ended = new Promise<number>((resolve) => {
      const running = client.makeUnaryRequest('/test.Echo/Park', same, same, Buffer.alloc(0), (error) =>
        resolve(error?.code ?? -1),
      );
      void until(() => rig.parked.length > parked).then(() => running.cancel());
    });
    expect(await ended).toBe(status.CANCELLED);
    await until(() => rig.events.length > before);
    expect(rig.events.slice(before)).toEqual(['aborted']);
  });

  it('an answer that is given later, without a promise', async () => {
    const parked = rig.parked.length;
    const answer = unary('Park', Buffer.from('?'));
    await until(() => rig.parked.length > parked);
    rig.parked.at(-1)?.answer(Buffer.from('!'));
    rig.parked.at(-1)?.answer(Buffer.from('ignored'));
    expect((await answer).toString()).toBe('!');
  });
});

describe('streams', () => {
  it('both ways', async () => {
    const stream = client.makeBidiStreamRequest('/test.Echo/Stream', same, same);
    const received: Buffer[] = [];
    stream.on('data', (message: Buffer) => received.push(message));
    const sent = Array.from({ length: 300 }, (_, i) => Buffer.alloc((i * 37) % 20_000, i));
    for (const message of sent) stream.write(message);
    stream.end();
    const end = await new Promise<number>((resolve) => stream.on('status', ({ code }) => resolve(code)));
    expect(end).toBe(status.OK);
    expect(Buffer.concat(received).equals(Buffer.concat(sent))).toBe(true);
    expect(received.length).toBe(300);
  });

  it('from the client', async () => {
    const count = await new Promise<string>((resolve, reject) => {
      const stream = client.makeClientStreamRequest('/test.Echo/Count', same, same, (error, value) => {
        if (error !== null) reject(error);
        else resolve(String(value));
      });
      for (let i = 0; i < 1000; i++) stream.write(Buffer.alloc(100));
      stream.end();
    });
    expect(count).toBe('1000');
  });

  it('from the server', async () => {
    const before = rig.sources.length;
    const stream = client.makeServerStreamRequest('/test.Echo/Source', same, same, Buffer.alloc(0));
    let bytes = 0;
    stream.on('data', (message: Buffer) => {
      bytes += message.length;
    });
    await until(() => rig.sources.length > before);
    const source = rig.sources.at(-1);
    for (let i = 0; i < 1000; i++) source?.sendParts(Buffer.alloc(10), Buffer.alloc(990));
    source?.end();
    expect(await new Promise((resolve) => stream.on('status', ({ code }) => resolve(code)))).toBe(status.OK);
    expect(bytes).toBe(1_000_000);
  });

  it('the client\u2019s cancel closes the handler', async () => {
    const before = rig.sources.length;
    const events = rig.events.length;
    const stream = client.makeServerStreamRequest('/test.Echo/Source', same, same, Buffer.alloc(0));
    const ended = new Promise((resolve) => stream.on('error', resolve));
    await until(() => rig.sources.length > before);
    stream.cancel();
    await ended;
    await until(() => rig.events.length > events);
    expect(rig.events.slice(events)).toEqual(['closed']);
    expect(rig.sources.at(-1)?.send(Buffer.alloc(1))).toBe(false);
  });
});

describe('the books', () => {
  it('balance: started is handled, no stream is left', async () => {
    await until(() => rig.stats.streams.value === 0);
    for (const method of rig.stats.methods.values()) {
      const handled = method.handled.reduce((sum, count) => sum + count, 0);
      expect([method.path, handled]).toEqual([method.path, method.started.value]);
      expect(method.latencySeconds.count).toBe(handled);
    }
    const unaryStats = rig.stats.methods.get('/test.Echo/Unary');
    expect(unaryStats?.messagesReceived.value).toBe(unaryStats?.messagesSent.value);
    expect(rig.stats.messageBytesSent.value).toBeGreaterThan(20_000_000);
    expect(rig.stats.bytesSent.value).toBeGreaterThan(rig.stats.messageBytesSent.value);
  });
});
