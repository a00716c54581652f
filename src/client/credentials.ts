import { readFileSync } from 'node:fs';
import { type ChannelCredentials, credentials as grpcCredentials } from '@grpc/grpc-js';
import type { Endpoint } from './endpoint.ts';
import { badArguments } from './exit-error.ts';

/** What the flags say about TLS; empty: not given. */
export interface TlsSettings {
  readonly cacert: string;
  readonly cert: string;
  readonly key: string;
  readonly insecureSkipTlsVerify: boolean;
  readonly insecureTransport: boolean;
}

/** How to speak to an endpoint: in plain text, or by TLS with these certificates. As clientv3 chooses. */
export function credentialsFor(endpoint: Endpoint, tls: TlsSettings): ChannelCredentials {
  const wanted = tls.cacert !== '' || tls.cert !== '' || tls.key !== '' || !tls.insecureTransport;
  if (endpoint.tls === 'none' || (endpoint.tls === 'optional' && !wanted)) return grpcCredentials.createInsecure();
  if ((tls.cert === '') !== (tls.key === '')) {
    throw badArguments('--cert and --key go together: one is the certificate, the other its private key');
  }
  try {
    return grpcCredentials.createSsl(read('--cacert', tls.cacert), read('--key', tls.key), read('--cert', tls.cert), {
      rejectUnauthorized: !tls.insecureSkipTlsVerify,
    });
  } catch (error) {
    if (error instanceof Error && error.name !== 'ExitError') {
      throw badArguments(`--cacert, --cert, --key: ${error.message}`);
    }
    throw error;
  }
}

function read(flag: string, path: string): Buffer | null {
  if (path === '') return null;
  try {
    return readFileSync(path);
  } catch (error) {
    throw badArguments(`${flag}: ${(error as Error).message}`);
  }
}
