import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** Who is at the other end: `address:port`, or the path of a Unix socket. */
export function peerOf(socket: Socket, path: string): string {
  return socket.remoteAddress === undefined ? path : `${socket.remoteAddress}:${socket.remotePort}`;
}

/** The subject's common name of the client's certificate; undefined without TLS, certificate, verification or name. */
export function verifiedCommonName(socket: Socket): string | undefined {
  return socket instanceof TLSSocket && socket.authorized ? commonNameOf(socket) : undefined;
}

/** The same, verified or not. */
export function commonNameOf(socket: TLSSocket): string | undefined {
  // The types say it is always one text; of a subject with several it is a list.
  const name: unknown = socket.getPeerCertificate().subject?.CN;
  const first: unknown = Array.isArray(name) ? name[0] : name;
  return typeof first === 'string' && first !== '' ? first : undefined;
}
