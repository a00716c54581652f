import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpHandler } from './http.ts';
import type { WireLimits } from './limits.ts';

/** HTTP/1.1 on the gRPC port: Node's own server, which never listens; connections are handed to it. */
export class Http1 {
  readonly #server: Server;
  readonly #limits: WireLimits;
  readonly #handler: HttpHandler;
  readonly #onError: (path: string, error: unknown) => void;
  #isDraining = false;

  constructor(handler: HttpHandler, limits: WireLimits, onError: (path: string, error: unknown) => void) {
    this.#handler = handler;
    this.#limits = limits;
    this.#onError = onError;
    this.#server = createServer(
      {
        headersTimeout: limits.prefaceTimeoutMs,
        requestTimeout: 3 * limits.prefaceTimeoutMs,
        connectionsCheckingInterval: 1000,
        maxHeaderSize: limits.headerListBytesMax,
      },
      (request, response) => this.#onRequest(request, response),
    );
    // Node starts its check for slow requests when the server listens; this one is fed by hand.
    this.#server.emit('listening');
  }

  /** Takes a socket over; what was read of it has been put back. */
  accept(socket: Socket): void {
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
    const pieces: Buffer[] = [];
    let bytes = 0;
    request.on('data', (piece: Buffer) => {
      bytes += piece.length;
      if (bytes <= this.#limits.requestBytesMax) {
        pieces.push(piece);
      } else if (!response.headersSent) {
        response.writeHead(413, { connection: 'close', 'content-type': 'text/plain; charset=utf-8' });
        response.end('request body too large\n', () => request.destroy());
      }
    });
    request.on('end', () => {
      if (bytes <= this.#limits.requestBytesMax) void this.#answer(request, response, Buffer.concat(pieces));
    });
    request.on('error', () => request.destroy());
  }

  async #answer(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const headers = new Map<string, string>();
    for (const [name, value] of Object.entries(request.headers)) {
      if (value !== undefined) headers.set(name, typeof value === 'string' ? value : value.join(','));
    }
    try {
      const answer = await this.#handler({
        method: request.method ?? 'GET',
        path,
        query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)),
        headers,
        body,
      });
      const bytes = typeof answer.body === 'string' ? Buffer.from(answer.body, 'utf8') : answer.body;
      // Else a client that keeps its connection would keep the drain waiting.
      if (this.#isDraining) response.setHeader('connection', 'close');
      response.writeHead(answer.status, { ...answer.headers, 'content-length': bytes.length });
      response.end(bytes);
    } catch (error) {
      this.#onError(path, error);
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end('internal error\n');
    }
  }
}
