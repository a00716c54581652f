import { choice, flag, integer, list, option, text } from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';
import { formatListenUrl, isLoopback, type ListenUrl } from './listen-url.ts';
import { opensslCiphers } from './tls-ciphers.ts';

const TLS = 'TLS, for https:// and unixs:// URLs';

/** How TLS is spoken. Names are etcd's, but for --allow-insecure-listen. */
export const TLS_OPTIONS = {
  certFile: option(text('path'), {
    flag: 'cert-file',
    default: '',
    defaultText: 'none',
    group: TLS,
    help: "the server's certificate (PEM), those of its issuers after it; read anew when it changes",
  }),
  keyFile: option(text('path'), {
    flag: 'key-file',
    default: '',
    defaultText: 'none',
    group: TLS,
    help: "the certificate's private key (PEM)",
  }),
  clientCertAuth: option(flag, {
    flag: 'client-cert-auth',
    default: false,
    group: TLS,
    help: 'let in only clients with a certificate of --trusted-ca-file',
  }),
  trustedCaFile: option(text('path'), {
    flag: 'trusted-ca-file',
    default: '',
    defaultText: 'none',
    group: TLS,
    help: 'certificates (PEM) of those who issue client certificates; as in etcd clients then need one',
  }),
  clientCrlFile: option(text('path'), {
    flag: 'client-crl-file',
    default: '',
    defaultText: 'none',
    group: TLS,
    help: 'the list of revoked client certificates (PEM or DER), one for each issuer',
  }),
  clientCertAllowedCn: option(list(text('name')), {
    flag: 'client-cert-allowed-cn',
    default: [],
    defaultText: 'any',
    group: TLS,
    help: 'common names that client certificates may have',
  }),
  clientCertAllowedHostname: option(list(text('name')), {
    flag: 'client-cert-allowed-hostname',
    default: [],
    defaultText: 'any',
    group: TLS,
    help: 'host names or addresses of which client certificates must be for one',
  }),
  autoTls: option(flag, {
    flag: 'auto-tls',
    default: false,
    group: TLS,
    help: 'without --cert-file: a certificate of its own making, kept in <data-dir>/fixtures/client',
  }),
  selfSignedCertValidity: option(integer(1, 100), {
    flag: 'self-signed-cert-validity',
    default: 1,
    group: TLS,
    help: 'for how many years that one is made',
  }),
  tlsMinVersion: option(choice('TLS1.2', 'TLS1.3'), {
    flag: 'tls-min-version',
    default: 'TLS1.2',
    group: TLS,
    help: 'the oldest version that is spoken',
  }),
  tlsMaxVersion: option(choice('TLS1.2', 'TLS1.3'), {
    flag: 'tls-max-version',
    default: 'TLS1.3',
    group: TLS,
    help: 'the newest version that is spoken',
  }),
  cipherSuites: option(list(text('suite')), {
    flag: 'cipher-suites',
    default: [],
    defaultText: "OpenSSL's",
    group: TLS,
    help: 'cipher suites of TLS 1.2 by their names in Go, such as TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
  }),
  allowInsecureListen: option(flag, {
    flag: 'allow-insecure-listen',
    default: false,
    group: TLS,
    help: 'listen in plain text beyond this machine: whoever reaches the port may read what is sent',
  }),
} as const;

export interface TlsSettings {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCertAuth: boolean;
  readonly trustedCaFile: string;
  readonly clientCrlFile: string;
  readonly clientCertAllowedCn: readonly string[];
  readonly clientCertAllowedHostname: readonly string[];
  readonly autoTls: boolean;
  readonly selfSignedCertValidity: number;
  readonly tlsMinVersion: 'TLS1.2' | 'TLS1.3';
  readonly tlsMaxVersion: 'TLS1.2' | 'TLS1.3';
  readonly cipherSuites: readonly string[];
  readonly allowInsecureListen: boolean;
}

/** What no single option can see: what is asked for and would not be done. Throws UsageError with the remedy. */
export function checkTlsOptions(
  options: TlsSettings,
  clientUrls: readonly ListenUrl[],
  metricsUrls: readonly ListenUrl[],
): void {
  const { certFile, keyFile } = options;
  if ((certFile === '') !== (keyFile === '')) {
    throw new UsageError(
      `--${certFile === '' ? 'cert-file' : 'key-file'} is missing: certificate and key come together`,
    );
  }
  for (const url of clientUrls) checkUrl(url, options);
  for (const url of metricsUrls) checkCertificate(url, 'listen-metrics-urls', options);
  const asksClients = options.clientCertAuth || options.trustedCaFile !== '';
  if (options.clientCertAuth && options.trustedCaFile === '') {
    throw new UsageError('--client-cert-auth needs --trusted-ca-file: whose certificates are to be let in?');
  }
  if (asksClients && !clientUrls.some(({ tls }) => tls)) {
    throw new UsageError(
      'client certificates are asked for, but no URL of --listen-client-urls is https:// or unixs://',
    );
  }
  const needClients = ['clientCrlFile', 'clientCertAllowedCn', 'clientCertAllowedHostname'] as const;
  for (const name of needClients) {
    if (options[name].length > 0 && !asksClients) {
      throw new UsageError(`--${TLS_OPTIONS[name].flag} needs --client-cert-auth and --trusted-ca-file`);
    }
  }
  if (options.clientCertAllowedCn.length > 0 && options.clientCertAllowedHostname.length > 0) {
    throw new UsageError('--client-cert-allowed-cn and --client-cert-allowed-hostname exclude each other, as in etcd');
  }
  if (options.tlsMinVersion > options.tlsMaxVersion) {
    throw new UsageError('--tls-min-version is newer than --tls-max-version');
  }
  if (options.cipherSuites.length > 0 && options.tlsMinVersion === 'TLS1.3') {
    throw new UsageError('--cipher-suites is for TLS 1.2, which --tls-min-version excludes');
  }
  opensslCiphers(options.cipherSuites);
}

function checkCertificate(url: ListenUrl, flag: string, options: TlsSettings): void {
  if (!url.tls || options.certFile !== '' || options.autoTls) return;
  throw new UsageError(
    `--${flag}: ${formatListenUrl(url)} needs --cert-file and --key-file ("kedge certs" makes them), or --auto-tls`,
  );
}

function checkUrl(url: ListenUrl, options: TlsSettings): void {
  checkCertificate(url, 'listen-client-urls', options);
  const written = formatListenUrl(url);
  if (url.tls || isLoopback(url) || options.allowInsecureListen) return;
  throw new UsageError(
    `--listen-client-urls: ${written} is plain text beyond this machine, where whoever reaches it may read and change everything. ` +
      'Use https:// with --cert-file and --key-file ("kedge certs" makes them), or say --allow-insecure-listen',
  );
}
