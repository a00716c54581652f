import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import { type Address, formatAddress, shortIp } from './address.ts';
import { type HandshakeContext, type Handshaken, PEER_ALPN, shakeHands } from './handshake.ts';
import { PEER_LIMITS } from './limits.ts';
import { RateGate } from './rate-gate.ts';
import { Refused } from './refused.ts';

export interface ListenerHost {
  onHandshaken(handshaken: Handshaken): void;
  onRefused(remoteIp: string, refused: Refused): void;
}

/**
 * Where other members knock. Until one has proven who it is it costs a socket, a few kilobytes and three seconds at
 * most; how many may knock at a time, and how often one address may, has a limit before TLS costs anything.
 */
export class Listener {
  readonly #context: HandshakeContext;
  readonly #host: ListenerHost;
  readonly #server: Server;
  /** Never listens: sockets that may knock are handed to it. */
  readonly #tls: TlsServer;
  readonly #gate: RateGate;
  /** Sockets that are not links yet. */
  readonly #knocking = new Set<Socket>();

  constructor(context: HandshakeContext, host: ListenerHost, clock: Clock) {
    this.#context = context;
    this.#host = host;
    this.#gate = new RateGate({
      clock,
      burst: PEER_LIMITS.handshakeBurst,
      perSecond: PEER_LIMITS.handshakesPerSecond,
      namesMax: PEER_LIMITS.rateAddressesMax,
    });
    this.#server = createServer({ noDelay: true }, (socket) => this.#onSocket(socket));
    this.#tls = createTlsServer({
      key: context.identity.privateKey,
      cert: context.identity.certificate,
      ...(context.trust.ca === undefined ? {} : { ca: context.trust.ca }),
      requestCert: true,
      // The handshake decides, and says why.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      ALPNProtocols: [PEER_ALPN],
      handshakeTimeout: PEER_LIMITS.handshakeMs,
    });
    this.#tls.on('secureConnection', (socket) => void this.#onTls(socket));
    this.#tls.on('tlsClientError', (error, socket) => {
      const remoteIp = shortIp(socket.remoteAddress ?? '') ?? '';
      socket.destroy();
      this.#host.onRefused(remoteIp, new Refused('tls', error.message));
    });
  }

  /** Resolves with the port. Rejects with Failure that says what is in the way. */
  listen(address: Address): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(address, error)));
      this.#server.listen({ host: address.ip, port: address.port }, () => {
        this.#server.removeAllListeners('error');
        // Too many open files, say: that connection is lost, the listener is not.
        this.#server.on('error', (error) => this.#host.onRefused('', new Refused('unreachable', error.message)));
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#knocking) socket.destroy();
  }

  #onSocket(socket: Socket): void {
    const remoteIp = shortIp(socket.remoteAddress ?? '') ?? '';
    if (this.#knocking.size >= PEER_LIMITS.handshakesMax || !this.#gate.admits(remoteIp)) {
      socket.destroy();
      this.#host.onRefused(remoteIp, new Refused('rate', 'too many connections at once'));
      return;
    }
    this.#knocking.add(socket);
    socket.once('close', () => this.#knocking.delete(socket));
    // Before TLS takes it over; its own listeners see the rest.
    socket.on('error', () => socket.destroy());
    this.#tls.emit('connection', socket);
  }

  async #onTls(socket: TLSSocket): Promise<void> {
    const remoteIp = shortIp(socket.remoteAddress ?? '') ?? '';
    try {
      const handshaken = await shakeHands(socket, 'acceptor', this.#context);
      this.#forget(socket);
      this.#host.onHandshaken(handshaken);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#host.onRefused(remoteIp, error);
    }
  }

  /** It is a link now. */
  #forget(socket: TLSSocket): void {
    for (const raw of this.#knocking) {
      if (raw.remotePort === socket.remotePort && raw.remoteAddress === socket.remoteAddress)
        this.#knocking.delete(raw);
    }
  }
}

function cannotListen(address: Address, error: NodeJS.ErrnoException): Failure {
  const remedy =
    error.code === 'EADDRINUSE'
      ? 'something listens there already; choose another place with --peer-listen'
      : error.code === 'EADDRNOTAVAIL'
        ? 'this machine does not have that address; choose one of its own with --peer-listen'
        : error.message;
  return new Failure(`cannot listen for peers at ${formatAddress(address)}: ${remedy}`, { cause: error });
}
