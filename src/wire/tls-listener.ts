import type { Server, Socket } from 'node:net';
import { createServer, type SecureContextOptions, type TLSSocket, type TlsOptions } from 'node:tls';
import type { Logger } from '../base/logger.ts';

/** What may change, or is looked at, from one handshake to the next. */
export interface TlsHooks {
  /** Asked before each handshake; certificates that are not those of before, or undefined. Connections that stand are not touched. */
  refresh?(): SecureContextOptions | undefined;
  /** Asked after each handshake: why this client is not let in, or undefined. */
  refuse?(socket: TLSSocket): string | undefined;
}

export interface TlsListenerOptions {
  readonly tls: TlsOptions;
  readonly hooks: TlsHooks;
  readonly handshakeTimeoutMs: number;
  /** Connections with and without a finished handshake; more are closed at once. */
  readonly connectionsMax: number;
  readonly logger: Logger;
  onSocket(socket: Socket): void;
  onRefused(): void;
}

/** A listener that speaks TLS. */
export interface TlsListener {
  readonly server: Server;
  /** Ends handshakes under way. */
  destroyHandshakes(): void;
}

/** Makes a listener whose sockets are handed over when their handshake is done. ALPN offers h2, then http/1.1. */
export function tlsListener(options: TlsListenerOptions): TlsListener {
  const { tls, hooks, logger } = options;
  const server = createServer({
    ...tls,
    allowHalfOpen: true,
    noDelay: true,
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: options.handshakeTimeoutMs,
  });
  server.maxConnections = options.connectionsMax;
  const handshaking = new Set<Socket>();
  const refused = (socket: TLSSocket, reason: string): void => {
    logger.debug('tls handshake failed', { peer: `${socket.remoteAddress}:${socket.remotePort}`, reason });
    options.onRefused();
    socket.destroy();
  };
  // Before Node's own listener, which takes the certificates as they are then.
  server.prependListener('connection', (socket: Socket) => {
    handshaking.add(socket);
    socket.once('close', () => handshaking.delete(socket));
    const fresh = hooks.refresh?.();
    if (fresh !== undefined) server.setSecureContext(fresh);
  });
  server.on('secureConnection', (socket) => {
    const reason = hooks.refuse?.(socket);
    if (reason === undefined) options.onSocket(socket);
    else refused(socket, reason);
  });
  server.on('tlsClientError', (error, socket) => refused(socket, error.message));
  return {
    server,
    destroyHandshakes() {
      for (const socket of handshaking) socket.destroy();
    },
  };
}
