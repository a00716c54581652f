import { describe, expect, it } from 'vitest';
import { resolveOptions } from '../base/options.ts';
import { listenUrl } from './listen-url.ts';
import { opensslCiphers } from './tls-ciphers.ts';
import { checkTlsOptions, TLS_OPTIONS } from './tls-options.ts';

function check(urls: string, flags: Readonly<Record<string, string>> = {}, metrics = ''): void {
  const options = resolveOptions(TLS_OPTIONS, new Map(Object.entries(flags)), {});
  const parsed = (list: string) => (list === '' ? [] : list.split(',').map((url) => listenUrl.parse(url)));
  checkTlsOptions(options, parsed(urls), parsed(metrics));
}

const PAIR = { 'cert-file': 'c', 'key-file': 'k' };
const CLIENTS = { ...PAIR, 'client-cert-auth': 'true', 'trusted-ca-file': 'ca' };

describe('TLS options', () => {
  it('what goes together', () => {
    check('http://127.0.0.1:1,unix:///s');
    check('https://0.0.0.0:1,http://localhost:2,unixs:///s', PAIR);
    check('https://0.0.0.0:1', CLIENTS);
    check('https://[::]:1', { 'auto-tls': 'true' });
    check('http://10.0.0.1:1', { 'allow-insecure-listen': 'true' });
    check('http://127.0.0.1:1', {}, 'http://0.0.0.0:2381');
  });

  it.each([
    ['http://0.0.0.0:1', {}, 'plain text beyond this machine'],
    ['http://127.0.0.1:1,http://10.0.0.1:2', PAIR, 'http://10.0.0.1:2 is plain text'],
    ['https://127.0.0.1:1', {}, '--cert-file and --key-file'],
    ['https://127.0.0.1:1', { 'cert-file': 'c' }, '--key-file is missing'],
    ['https://127.0.0.1:1', { ...PAIR, 'client-cert-auth': 'true' }, 'needs --trusted-ca-file'],
    ['http://127.0.0.1:1', CLIENTS, 'no URL of --listen-client-urls is https://'],
    ['https://127.0.0.1:1', { ...PAIR, 'client-crl-file': 'r' }, '--client-crl-file needs'],
    ['https://127.0.0.1:1', { ...PAIR, 'client-cert-allowed-cn': 'a' }, '--client-cert-allowed-cn needs'],
    [
      'https://127.0.0.1:1',
      { ...CLIENTS, 'client-cert-allowed-cn': 'a', 'client-cert-allowed-hostname': 'b' },
      'exclude each other',
    ],
    ['https://127.0.0.1:1', { ...PAIR, 'tls-min-version': 'TLS1.3', 'tls-max-version': 'TLS1.2' }, 'newer than'],
    ['https://127.0.0.1:1', { ...PAIR, 'tls-min-version': 'TLS1.1' }, 'one of TLS1.2, TLS1.3'],
    ['https://127.0.0.1:1', { ...PAIR, 'cipher-suites': 'TLS_NONE' }, 'no cipher suite of Go'],
    ['https://127.0.0.1:1', { ...PAIR, 'cipher-suites': 'TLS_RSA_WITH_RC4_128_SHA' }, 'is broken'],
    [
      'https://127.0.0.1:1',
      { ...PAIR, 'cipher-suites': 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'tls-min-version': 'TLS1.3' },
      'is for TLS 1.2',
    ],
  ] as const)('%s %o is refused', (urls, flags, message) => {
    expect(() => check(urls, flags)).toThrow(message);
  });

  it("cipher suites by Go's names", () => {
    expect(opensslCiphers([])).toBeUndefined();
    const list = opensslCiphers(['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'TLS_AES_128_GCM_SHA256']);
    expect(list?.split(':')).toContain('ECDHE-ECDSA-AES128-GCM-SHA256');
    expect(() => opensslCiphers(['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA265'])).toThrow(
      'did you mean TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256?',
    );
  });
});
