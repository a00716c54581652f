import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import type { Method, ServiceTable } from '../../src/wire/grpc.ts';
import { Status, StatusError, type StreamCall, type UnaryCall } from '../../src/wire/grpc.ts';
import type { HttpRequest, HttpResponse } from '../../src/wire/http.ts';
import { defaultWireLimits, type WireLimits } from '../../src/wire/limits.ts';
import { WireServer } from '../../src/wire/server.ts';
import { WireStats } from '../../src/wire/stats.ts';

/** A server on a free port of loopback, with methods that show what the wire does. */
export interface Rig {
  readonly server: WireServer;
  readonly port: number;
  readonly stats: WireStats;
  /** What handlers threw that was no StatusError. */
  readonly errors: unknown[];
  /** What happened in handlers, in order. */
  readonly events: string[];
  /** Calls of /test.Echo/Park, in order. */
  readonly parked: UnaryCall[];
  /** Calls of /test.Echo/Source, in order. */
  readonly sources: StreamCall[];
  /** Lets /test.Echo/Hold take its next message, or /slow answer. */
  release(): void;
  close(): Promise<void>;
}

export async function startRig(limits: Partial<WireLimits> = {}, more: ServiceTable = new Map()): Promise<Rig> {
  const errors: unknown[] = [];
  const events: string[] = [];
  const parked: UnaryCall[] = [];
  const sources: StreamCall[] = [];
  const holds: (() => void)[] = [];
  const methods: [string, Method][] = [
    ['/test.Echo/Unary', { kind: 'unary', handle: (request) => request }],
    ['/test.Echo/Later', { kind: 'unary', handle: (request) => later(Uint8Array.from(request)) }],
    ['/test.Echo/Size', { kind: 'unary', handle: (request) => Buffer.from(String(request.length)) }],
    [
      '/test.Echo/Big',
      { kind: 'unary', handle: (request) => Buffer.alloc(Number(Buffer.from(request).toString()), 7) },
    ],
    [
      '/test.Echo/Refuse',
      { kind: 'unary', handle: () => Promise.reject(new StatusError(Status.notFound, 'no – 100%')) },
    ],
    [
      '/test.Echo/Break',
      {
        kind: 'unary',
        handle: () => {
          throw new TypeError('broken');
        },
      },
    ],
    [
      '/test.Echo/Metadata',
      {
        kind: 'unary',
        handle: (_request, call) =>
          Buffer.from(JSON.stringify({ metadata: [...call.metadata], peer: call.peer, path: call.path })),
      },
    ],
    [
      '/test.Echo/Park',
      {
        kind: 'unary',
        handle: (_request, call) => {
          parked.push(call);
          call.signal.addEventListener('abort', () => events.push('aborted'));
          return undefined;
        },
      },
    ],
    [
      '/test.Echo/Together',
      {
        kind: 'unary',
        handle: (request, call) => {
          const echo = Uint8Array.from(request);
          events.push(`handed ${request.length}`);
          call.atReadEnd(() => {
            events.push(`answered ${echo.length}`);
            call.answer(echo);
          });
          return undefined;
        },
      },
    ],
    [
      '/test.Echo/Stream',
      {
        kind: 'stream',
        open: (call) => ({
          onMessage: (message) => void call.send(message),
          onHalfClose: () => call.end(),
          onDrain: () => {},
          onClose: () => events.push('closed'),
        }),
      },
    ],
    [
      '/test.Echo/Count',
      {
        kind: 'stream',
        shape: 'client_stream',
        open: (call) => {
          let count = 0;
          return {
            onMessage: () => void count++,
            onHalfClose: () => {
              call.send(Buffer.from(String(count)));
              call.end();
            },
            onDrain: () => {},
            onClose: () => {},
          };
        },
      },
    ],
    [
      '/test.Echo/Hold',
      {
        kind: 'stream',
        open: (call) => ({
          onMessage: (message) => {
            events.push(`message ${message.length}`);
            return new Promise<void>((resolve) => holds.push(resolve));
          },
          onHalfClose: () => call.end(),
          onDrain: () => {},
          onClose: () => {},
        }),
      },
    ],
    [
      '/test.Echo/Source',
      {
        kind: 'stream',
        open: (call) => {
          sources.push(call);
          return {
            onMessage: () => {},
            onHalfClose: () => {},
            onDrain: () => events.push('drain'),
            onClose: () => events.push('closed'),
          };
        },
      },
    ],
  ];
  const services = new Map([...methods, ...more]);
  const stats = new WireStats(services);
  const server = new WireServer({
    services,
    http: async (request) => {
      if (request.path !== '/slow') return answerHttp(request);
      events.push('slow');
      await new Promise<void>((resolve) => holds.push(resolve));
      return { status: 200, headers: {}, body: 'at last' };
    },
    limits: { ...defaultWireLimits, ...limits },
    clock: systemClock,
    logger: silentLogger,
    onHandlerError: (_path, error) => errors.push(error),
    stats,
  });
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  return {
    server,
    port: typeof address === 'string' ? 0 : address.port,
    stats,
    errors,
    events,
    parked,
    sources,
    release: () => holds.shift()?.(),
    close: () => server.close(),
  };
}

/** Waits until something that must happen has happened; the test's own timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

async function later(bytes: Uint8Array): Promise<Uint8Array> {
  await sleep(5);
  return bytes;
}

async function answerHttp(request: HttpRequest): Promise<HttpResponse> {
  if (request.path === '/throw') throw new Error('no page');
  if (request.path === '/large') return { status: 200, headers: {}, body: Buffer.alloc(1_000_000, 'x') };
  if (request.path === '/nothing') return { status: 204, headers: {}, body: '' };
  const { method, path, body } = request;
  const seen = { method, path, query: [...request.query], agent: request.headers.get('x-agent'), bytes: body.length };
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(seen) };
}
