import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { selfSignedCertificate } from './certificate.ts';

it('a certificate of our own is one that others read: OpenSSL, by library and by command', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = selfSignedCertificate(privateKey);
  const read = new X509Certificate(pem);
  expect(read.verify(createPublicKey(privateKey))).toBe(true);
  expect(read.checkPrivateKey(privateKey)).toBe(true);
  expect(read.subject).toBe('CN=kedge member');
  expect(read.issuer).toBe(read.subject);
  expect(read.validFrom).toBe('Jan  1 00:00:00 1970 GMT');
  expect(read.validTo).toBe('Dec 31 23:59:59 9999 GMT');
  const shown = execFileSync('openssl', ['x509', '-noout', '-text'], { input: pem }).toString();
  expect(shown).toContain('Version: 3 (0x2)');
  expect(shown).toContain('Signature Algorithm: ED25519');
});
