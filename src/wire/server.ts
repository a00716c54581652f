/**
 * The wire: HTTP/2 and gRPC straight on sockets.
 *
 *   listen ─▶ accept ─▶ sniff ─┬─ "PRI * HTTP/2.0…" ─▶ Connection ─▶ gRPC ─▶ ServiceTable
 *            (tcp, tls,        │                          └─ not application/grpc ─┐
 *             unix)            └─ anything else ─▶ Http1 (Node's own server) ──────┴─▶ HttpHandler
 *
 * Node's own HTTP/2 costs ten times as much per request (a stream object with all of Node's stream machinery for each
 * call), hence this one. It knows nothing of what the messages mean.
 *
 * A connection's fault ends that connection only. Everything that grows with what a peer does has its limit in
 * limits.ts. One timer sweeps all connections once a second, one wheel holds all deadlines.
 */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { Connection } from './connection.ts';
import { DeadlineWheel } from './deadline-wheel.ts';
import { PREFACE } from './frames.ts';
import type { ServiceTable } from './grpc.ts';
import type { HttpHandler, HttpStreams } from './http.ts';
import { Http1 } from './http1.ts';
import type { WireLimits } from './limits.ts';
import type { MethodEntry } from './method-entry.ts';
import { Flusher, SlabPool } from './output.ts';
import { ReadEnd } from './read-end.ts';
import { peerOf } from './socket-peer.ts';
import { MethodStats, type WireStats } from './stats.ts';
import { type TlsHooks, type TlsListener, tlsListener } from './tls-listener.ts';
import type { WireHost } from './wire-host.ts';

const SWEEP_MS = 1000;
/** Connections waiting to be accepted: as Go asks for (the kernel's own limit caps it). */
const BACKLOG = 4096;

export interface WireServerOptions {
  readonly services: ServiceTable;
  readonly http: HttpHandler;
  /** Default: no request is a stream. */
  readonly httpStreams?: HttpStreams;
  readonly limits: WireLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A handler threw something that is no StatusError: a defect. The client got `unknown`. */
  onHandlerError(path: string, error: unknown): void;
  readonly stats: WireStats;
}

/** Where to listen. `tls`: certificates and the like, for node:tls; ALPN is set here. */
export type ListenOptions = ({ readonly host: string; readonly port: number } | { readonly path: string }) & {
  readonly tls?: TlsOptions;
  readonly tlsHooks?: TlsHooks;
};

/** May listen at several places. Not to be used again after drain or close. */
export class WireServer {
  readonly #host: WireHost;
  readonly #http1: Http1;
  readonly #listeners: Server[] = [];
  readonly #tlsListeners: TlsListener[] = [];
  readonly #connections = new Set<Connection>();
  /** Every socket not yet closed, with the time by which its preface is due (undefined: it was recognised). */
  readonly #sockets = new Map<Socket, number | undefined>();
  #sweeper: Timer | undefined = undefined;
  #isClosing = false;
  /** Called when the last socket closed. */
  #onEmpty = (): void => {};

  constructor(options: WireServerOptions) {
    const { services, http, limits, clock, logger, stats } = options;
    const methods = new Map<string, MethodEntry>();
    const serviceNames = new Set<string>();
    for (const [path, method] of services) {
      methods.set(path, { method, stats: stats.methods.get(path) ?? new MethodStats(path, method) });
      serviceNames.add(path.slice(1, path.lastIndexOf('/')));
    }
    const onHandlerError = options.onHandlerError.bind(options);
    const httpStreams = options.httpStreams ?? (() => undefined);
    this.#host = {
      limits,
      clock,
      logger,
      stats,
      methods,
      serviceNames,
      http,
      httpStreams,
      onHandlerError,
      wheel: new DeadlineWheel(clock),
      pool: new SlabPool(),
      flusher: new Flusher(),
      readEnd: new ReadEnd(),
      onClosed: (connection) => this.#connections.delete(connection),
    };
    this.#http1 = new Http1({ http, httpStreams, limits, clock, onHandlerError });
  }

  /** Resolves with the bound address (`port` 0: any free port), or the path. Rejects as `net.Server.listen` fails. */
  listen(options: ListenOptions): Promise<AddressInfo | string> {
    const socketOptions = { allowHalfOpen: true, noDelay: true };
    const path = 'path' in options ? options.path : '';
    const onSocket = (socket: Socket): void => this.#onSocket(socket, path);
    let listener: Server;
    if (options.tls === undefined) {
      listener = createServer(socketOptions, onSocket);
    } else {
      const { limits, logger, stats } = this.#host;
      const tls = tlsListener({
        tls: options.tls,
        hooks: options.tlsHooks ?? {},
        handshakeTimeoutMs: limits.prefaceTimeoutMs,
        connectionsMax: limits.connectionsMax,
        logger,
        onSocket,
        onRefused: () => void stats.connectionsFaulted.value++,
      });
      this.#tlsListeners.push(tls);
      listener = tls.server;
    }
    this.#listeners.push(listener);
    return new Promise((resolve, reject) => {
      listener.once('error', reject);
      const where = 'path' in options ? { path: options.path } : { host: options.host, port: options.port };
      listener.listen({ ...where, backlog: BACKLOG }, () => {
        listener.off('error', reject);
        // Too many open files, say: the connection is lost, the server is not.
        listener.on('error', (error) => this.#host.logger.error('accept failed', { reason: error.message }));
        resolve(listener.address() ?? '');
      });
    });
  }

  /**
   * Accepts nothing new, tells clients to go elsewhere and waits for the calls under way, `graceMs` at most; then
   * closes. Services should end their long streams meanwhile.
   */
  async drain(graceMs: number): Promise<void> {
    const { clock } = this.#host;
    this.#isClosing = true;
    for (const listener of this.#listeners) listener.close();
    for (const connection of this.#connections) connection.drain();
    this.#http1.drain();
    for (const [socket, dueMs] of this.#sockets) {
      if (dueMs !== undefined) socket.destroy();
    }
    if (this.#sockets.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = clock.after(graceMs, resolve);
        this.#onEmpty = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    await this.close();
  }

  /** Closes everything at once; calls under way are cancelled. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#sweeper?.cancel();
    this.#sweeper = undefined;
    this.#http1.close();
    for (const listener of this.#tlsListeners) listener.destroyHandshakes();
    const closed = [...this.#sockets.keys()].map((socket) => {
      const done = new Promise((resolve) => socket.once('close', resolve));
      socket.destroy();
      return done;
    });
    for (const listener of this.#listeners) {
      if (listener.listening) closed.push(new Promise((resolve) => listener.close(resolve)));
    }
    await Promise.all(closed);
  }

  #onSocket(socket: Socket, path: string): void {
    const { limits, stats, clock } = this.#host;
    if (this.#isClosing || this.#sockets.size >= limits.connectionsMax) {
      socket.destroy();
      return;
    }
    stats.connections.value++;
    stats.connectionsAccepted.value++;
    this.#sockets.set(socket, clock.monotonicMs() + limits.prefaceTimeoutMs);
    socket.on('close', () => {
      stats.connections.value--;
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#onEmpty();
    });
    this.#sweeper ??= clock.after(SWEEP_MS, this.#sweep);
    this.#sniff(socket, path);
  }

  /** Reads until the first bytes decide which protocol it is. */
  #sniff(socket: Socket, path: string): void {
    let seen: Buffer = Buffer.alloc(0);
    const onError = (): void => void socket.destroy();
    const onEnd = (): void => void socket.destroy();
    const onData = (chunk: Buffer): void => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const bytes = Math.min(seen.length, PREFACE.length);
      const isHttp2 = seen.compare(PREFACE, 0, bytes, 0, bytes) === 0;
      if (isHttp2 && bytes < PREFACE.length) return;
      socket.off('data', onData);
      socket.off('end', onEnd);
      socket.off('error', onError);
      this.#sockets.set(socket, undefined);
      if (isHttp2) this.#startHttp2(socket, path, seen.subarray(PREFACE.length));
      else this.#startHttp1(socket, path, seen);
    };
    socket.on('data', onData);
    socket.on('end', onEnd);
    socket.on('error', onError);
  }

  #startHttp2(socket: Socket, path: string, rest: Buffer): void {
    const connection = new Connection(socket, peerOf(socket, path), this.#host);
    this.#connections.add(connection);
    connection.start(rest);
    if (this.#isClosing) connection.drain();
  }

  #startHttp1(socket: Socket, path: string, seen: Buffer): void {
    socket.pause();
    socket.unshift(seen);
    this.#http1.accept(socket, path);
    socket.resume();
  }

  readonly #sweep = (): void => {
    const nowMs = this.#host.clock.monotonicMs();
    this.#sweeper = undefined;
    if (this.#sockets.size === 0) return;
    for (const [socket, dueMs] of this.#sockets) {
      if (dueMs === undefined || dueMs > nowMs) continue;
      this.#host.stats.connectionsFaulted.value++;
      socket.destroy();
    }
    for (const connection of this.#connections) connection.sweep(nowMs);
    this.#sweeper = this.#host.clock.after(SWEEP_MS, this.#sweep);
  };
}
