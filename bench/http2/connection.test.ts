import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Call, type Handler, type Message } from './call.ts';
import { Connection } from './connection.ts';

/** What a call showed: its messages' lengths and its end. */
interface Seen {
  readonly messages: number[];
  status: number;
  text: string;
}

const servers: Http2Server[] = [];
const connections: Connection[] = [];

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** Node's own HTTP/2 server, which knows nothing of the generator's frames. */
async function serve(answer: (stream: ServerHttp2Stream, request: Buffer, path: string) => void): Promise<number> {
  const server = createServer();
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => answer(stream, Buffer.concat(chunks), String(headers[':path'])));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function respond(stream: ServerHttp2Stream, messages: readonly Buffer[], status: string, text: string): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status, 'grpc-message': text }));
  for (const message of messages) {
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    stream.write(Buffer.concat([prefix, message]));
  }
  stream.end();
}

function messageOf(bytes: number, path = '/a/B'): Message {
  return { path, bytesMax: bytes, write: (_call, out, at) => out.fill(7, at, at + bytes) && at + bytes };
}

/** Asks all messages at once, one call each, and waits for every end. */
async function ask(port: number, messages: readonly Message[]): Promise<Seen[]> {
  const seen = messages.map((): Seen => ({ messages: [], status: -2, text: '' }));
  let left = messages.length;
  let done = (): void => undefined;
  let fail = (_error: Error): void => undefined;
  const ended = new Promise<void>((resolve, reject) => {
    done = resolve;
    fail = reject;
  });
  const handler: Handler = {
    answered: (call, _bytes, from, to) => seen[call.place]?.messages.push(to - from),
    ended: (call, status, text) => {
      Object.assign(seen[call.place] ?? {}, { status, text });
      if (--left === 0) done();
    },
    broke: (_connection, error) => fail(error),
  };
  const connection = await Connection.open(port, handler);
  connections.push(connection);
  for (const [place, message] of messages.entries()) connection.request(new Call(connection, place), message);
  connection.flush();
  await ended;
  return seen;
}

describe('Connection', () => {
  it('sends requests that a foreign server understands, over and over', async () => {
    const lengths: number[] = [];
    const paths = new Set<string>();
    const port = await serve((stream, request, path) => {
      lengths.push(request.length);
      paths.add(path);
      respond(stream, [Buffer.from([1])], '0', '');
    });
    const messages = Array.from({ length: 50 }, (_, i) => messageOf(100 + i, i % 2 === 0 ? '/a/B' : '/a/C'));
    const seen = await ask(port, messages);
    expect(seen.every(({ status, messages: [length] }) => status === 0 && length === 1)).toBe(true);
    expect(lengths.toSorted((a, b) => a - b)).toEqual(messages.map((_, i) => 105 + i));
    expect([...paths].toSorted()).toEqual(['/a/B', '/a/C']);
  });

  it('tells an error from a success, whatever the table made of the trailers', async () => {
    let answers = 0;
    const port = await serve((stream) => {
      const isWrong = answers++ % 3 === 0;
      respond(stream, [], isWrong ? '11' : '0', isWrong ? 'etcdserver: mvcc: required revision is a future one' : '');
    });
    const seen = await ask(
      port,
      Array.from({ length: 9 }, () => messageOf(10)),
    );
    expect(seen.filter(({ status }) => status === 0).length).toBe(6);
    expect(seen.filter(({ status, text }) => status === 11 && text.includes('required')).length).toBe(3);
  });

  it('puts messages together that come in many frames and chunks', async () => {
    const sizes = [0, 1, 16_379, 16_380, 600_000, 5, 3_000_000];
    const port = await serve((stream) =>
      respond(
        stream,
        sizes.map((size) => Buffer.alloc(size, 3)),
        '0',
        '',
      ),
    );
    const seen = await ask(port, [messageOf(10), messageOf(10)]);
    for (const { status, messages } of seen) expect({ status, messages }).toEqual({ status: 0, messages: sizes });
  });

  it("waits for the server's window", async () => {
    const port = await serve((stream, request) => respond(stream, [Buffer.alloc(request.length)], '0', ''));
    const seen = await ask(
      port,
      Array.from({ length: 60 }, () => messageOf(16_000)),
    );
    expect(seen.every(({ status, messages: [length] }) => status === 0 && length === 16_005)).toBe(true);
  });

  it('says so when the server goes away', async () => {
    const port = await serve((stream) => stream.session?.destroy());
    await expect(ask(port, [messageOf(10)])).rejects.toThrow();
  });
});
