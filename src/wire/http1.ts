import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import type { HttpHandler, HttpHead, HttpStreamOpener, HttpStreams } from './http.ts';
import { pathAndQuery } from './http-head.ts';
import { openHttp1Stream } from './http1-stream.ts';
import type { WireLimits } from './limits.ts';
import { peerOf, verifiedCommonName } from './socket-peer.ts';

export interface Http1Options {
  readonly http: HttpHandler;
  readonly httpStreams: HttpStreams;
  readonly limits: WireLimits;
  readonly clock: Clock;
  onHandlerError(path: string, error: unknown): void;
}

/** HTTP/1.1 on the gRPC port: Node's own server, which never listens; connections are handed to it. */
export class Http1 {
  readonly #server: Server;
  readonly #options: Http1Options;
  /** Sockets' paths: a Unix socket does not know its own. */
  readonly #paths = new WeakMap<Socket, string>();
  #isDraining = false;

  constructor(options: Http1Options) {
    this.#options = options;
    this.#server = createServer(
      {
        headersTimeout: options.limits.prefaceTimeoutMs,
        // A body that is a stream may take for ever; the others have a timer of ours.
        requestTimeout: 0,
        keepAliveTimeout: options.limits.httpIdleMs,
        connectionsCheckingInterval: 1000,
        maxHeaderSize: options.limits.headerListBytesMax,
      },
      (request, response) => this.#onRequest(request, response),
    );
    // Node starts its check for slow requests when the server listens; this one is fed by hand.
    this.#server.emit('listening');
  }

  /** Takes a socket over; what was read of it has been put back. `path`: of a Unix socket. */
  accept(socket: Socket, path: string): void {
    this.#paths.set(socket, path);
    this.#server.emit('connection', socket);
  }

  /** Lets requests under way finish and closes idle connections. */
  drain(): void {
    this.#isDraining = true;
    this.#server.close();
    this.#server.closeIdleConnections();
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const abort = new AbortController();
    response.on('close', () => abort.abort());
    const head = this.#headOf(request, abort.signal);
    const opener = this.#options.httpStreams(head);
    if (opener === undefined) this.#gather(request, response, head);
    else this.#stream(request, response, opener, head.path);
  }

  #headOf(request: IncomingMessage, signal: AbortSignal): HttpHead {
    const { socket } = request;
    const headers = new Map<string, string>();
    for (const [name, value] of Object.entries(request.headers)) {
      if (value !== undefined) headers.set(name, typeof value === 'string' ? value : value.join(','));
    }
    return {
      method: request.method ?? 'GET',
      ...pathAndQuery(request.url ?? '/'),
      authority: headers.get('host'),
      headers,
      peer: peerOf(socket, this.#paths.get(socket) ?? ''),
      encrypted: socket instanceof TLSSocket,
      commonName: verifiedCommonName(socket),
      signal,
    };
  }

  #stream(request: IncomingMessage, response: ServerResponse, opener: HttpStreamOpener, path: string): void {
    if (this.#isDraining) response.setHeader('connection', 'close');
    openHttp1Stream(request, response, opener, this.#options.clock, (error) => this.#fail(response, path, error));
  }

  /** Reads the body within the limits of bytes and time, then answers. */
  #gather(request: IncomingMessage, response: ServerResponse, head: HttpHead): void {
    const { limits, clock } = this.#options;
    const pieces: Buffer[] = [];
    let bytes = 0;
    const refuse = (status: number, text: string): void => {
      if (response.headersSent) return;
      response.writeHead(status, { connection: 'close', 'content-type': 'text/plain; charset=utf-8' });
      response.end(`${text}\n`, () => request.destroy());
    };
    const timer = clock.after(3 * limits.prefaceTimeoutMs, () => refuse(408, 'request body too slow'));
    request.on('data', (piece: Buffer) => {
      bytes += piece.length;
      if (bytes <= limits.httpBodyBytesMax) pieces.push(piece);
      else refuse(413, 'request body too large');
    });
    request.on('end', () => {
      timer.cancel();
      if (!response.headersSent) void this.#answer(response, { ...head, body: Buffer.concat(pieces) });
    });
    request.on('close', () => timer.cancel());
    request.on('error', () => request.destroy());
  }

  async #answer(response: ServerResponse, request: HttpHead & { readonly body: Uint8Array }): Promise<void> {
    try {
      const answer = await this.#options.http(request);
      const bytes = typeof answer.body === 'string' ? Buffer.from(answer.body, 'utf8') : answer.body;
      // Else a client that keeps its connection would keep the drain waiting.
      if (this.#isDraining) response.setHeader('connection', 'close');
      response.writeHead(answer.status, { ...answer.headers, 'content-length': bytes.length });
      response.end(bytes);
    } catch (error) {
      this.#fail(response, request.path, error);
    }
  }

  #fail(response: ServerResponse, path: string, error: unknown): void {
    this.#options.onHandlerError(path, error);
    if (response.headersSent) response.destroy();
    else response.writeHead(500).end('internal error\n');
  }
}
