import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions, type TLSSocket, type TlsOptions } from 'node:tls';
import { Failure } from '../base/failure.ts';
import type { Logger } from '../base/logger.ts';
import type { TlsHooks } from '../wire/tls-listener.ts';
import { opensslCiphers } from './tls-ciphers.ts';
import { refusalOfClient } from './tls-client.ts';
import type { TlsSettings } from './tls-options.ts';

/**
 * The certificates as they are on disk now. As in etcd the files are looked at before each handshake, so that a renewed
 * certificate or a longer list of revoked ones holds for the next client, whoever wrote it and however (Kubernetes swaps
 * a link). What cannot be read or does not fit together is not taken: the last that did goes on, and the log says so.
 */
export class TlsFiles implements TlsHooks {
  readonly #settings: TlsSettings;
  readonly #logger: Logger;
  readonly #paths: readonly string[];
  #stamp: string;
  readonly #first: SecureContextOptions;

  /** Throws Failure when there is nothing to begin with. */
  constructor(settings: TlsSettings, logger: Logger) {
    this.#settings = settings;
    this.#logger = logger;
    const { certFile, keyFile, trustedCaFile, clientCrlFile } = settings;
    this.#paths = [certFile, keyFile, trustedCaFile, clientCrlFile].filter((path) => path !== '');
    this.#stamp = stampOf(this.#paths);
    this.#first = this.#read();
  }

  /** For node:tls. */
  get options(): TlsOptions {
    const asksClients = this.#settings.clientCertAuth || this.#settings.trustedCaFile !== '';
    return { ...this.#first, requestCert: asksClients, rejectUnauthorized: asksClients };
  }

  refresh(): SecureContextOptions | undefined {
    const stamp = stampOf(this.#paths);
    if (stamp === this.#stamp) return undefined;
    this.#stamp = stamp;
    try {
      const fresh = this.#read();
      this.#logger.info('certificates changed: new connections get the new ones', {
        cert_file: this.#settings.certFile,
      });
      return fresh;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.#logger.error('certificates changed and cannot be used: the old ones go on', { reason: error.message });
      return undefined;
    }
  }

  refuse(socket: TLSSocket): string | undefined {
    return refusalOfClient(socket, this.#settings);
  }

  #read(): SecureContextOptions {
    const { certFile, keyFile, trustedCaFile, clientCrlFile, tlsMinVersion, tlsMaxVersion } = this.#settings;
    const ciphers = opensslCiphers(this.#settings.cipherSuites);
    const options = {
      cert: readPem(certFile, 'cert-file'),
      key: readPem(keyFile, 'key-file'),
      ...(trustedCaFile === '' ? {} : { ca: readPem(trustedCaFile, 'trusted-ca-file') }),
      ...(clientCrlFile === '' ? {} : { crl: asPem(readPem(clientCrlFile, 'client-crl-file')) }),
      ...(ciphers === undefined ? {} : { ciphers, honorCipherOrder: true }),
      minVersion: VERSIONS[tlsMinVersion],
      maxVersion: VERSIONS[tlsMaxVersion],
    };
    try {
      createSecureContext(options);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Failure(`${this.#paths.join(', ')}: no usable certificates: ${reason}`, { cause: error });
    }
    return options;
  }
}

const VERSIONS = { 'TLS1.2': 'TLSv1.2', 'TLS1.3': 'TLSv1.3' } as const;

/** Differs when a file, or what a link leads to, was written anew. A file that is gone counts as one that changed. */
function stampOf(paths: readonly string[]): string {
  return paths
    .map((path) => {
      const found = statSync(path, { throwIfNoEntry: false, bigint: true });
      return found === undefined ? 'gone' : `${found.dev}:${found.ino}:${found.mtimeNs}:${found.size}`;
    })
    .join(' ');
}

function readPem(path: string, flag: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Failure(`--${flag}: ${(error as Error).message}`, { cause: error });
  }
}

/** Lists of revoked certificates are often kept in DER. */
function asPem(bytes: Buffer): Buffer {
  if (bytes.includes('-----BEGIN')) return bytes;
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return Buffer.from(`-----BEGIN X509 CRL-----\n${lines.join('\n')}\n-----END X509 CRL-----\n`);
}
