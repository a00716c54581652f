import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** The subject's common name of the client's certificate; undefined without TLS, certificate, verification or name. */
export function verifiedCommonName(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  // The types say it is always one text; of a subject with several it is a list.
  const name: unknown = socket.getPeerCertificate().subject?.CN;
  const first: unknown = Array.isArray(name) ? name[0] : name;
  return typeof first === 'string' && first !== '' ? first : undefined;
}
