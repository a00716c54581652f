import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { commonNameOf } from '../wire/socket-peer.ts';

/** Whom of those with a good certificate to let in. Empty: everybody. */
export interface AllowedClients {
  readonly clientCertAllowedCn: readonly string[];
  readonly clientCertAllowedHostname: readonly string[];
}

/** Why a client is not let in although its certificate is good; undefined: it is. Source: etcd's client/pkg/transport. */
export function refusalOfClient(socket: TLSSocket, allowed: AllowedClients): string | undefined {
  const { clientCertAllowedCn: names, clientCertAllowedHostname: hosts } = allowed;
  if (names.length > 0) {
    const name = commonNameOf(socket);
    return name !== undefined && names.includes(name) ? undefined : `common name ${name ?? '(none)'} is not allowed`;
  }
  if (hosts.length > 0) {
    const certificate = socket.getPeerX509Certificate();
    const isFor = (host: string): boolean =>
      isIP(host) === 0
        ? certificate?.checkHost(host, { subject: 'never' }) !== undefined
        : certificate?.checkIP(host) !== undefined;
    return hosts.some(isFor) ? undefined : `the certificate is for none of ${hosts.join(', ')}`;
  }
  return undefined;
}
