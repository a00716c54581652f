import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import type { X509Certificate } from '@peculiar/x509';

/**
 * Makes certificates for people who have none: a small authority, and what it signs for servers and clients. Keys are of
 * the curve P-256, which every TLS there is takes and which costs the least in a handshake.
 */
export interface Issued {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

/** The one who signs. */
export interface Authority {
  readonly certificate: string;
  readonly key: string;
}

export interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A certificate that signs others, and itself. */
export async function makeAuthority(commonName: string, validity: Validity): Promise<Issued> {
  const x509 = await library();
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...common(validity),
    name: subject(commonName),
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return issued(certificate, keys);
}

/** For a server that is reached under the given names and addresses. */
export async function makeServer(authority: Authority, hosts: readonly string[], validity: Validity): Promise<Issued> {
  return await sign(authority, hosts[0] ?? 'localhost', hosts, ['1.3.6.1.5.5.7.3.1'], validity);
}

/** For a client: its common name is the user that it stands for. */
export async function makeClient(authority: Authority, commonName: string, validity: Validity): Promise<Issued> {
  return await sign(authority, commonName, [], ['1.3.6.1.5.5.7.3.2'], validity);
}

/** A server's certificate that nobody has signed but itself. */
export async function makeSelfSigned(hosts: readonly string[], validity: Validity): Promise<Issued> {
  const x509 = await library();
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...common(validity),
    name: subject(hosts[0] ?? 'localhost'),
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign, true),
      new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1']),
      new x509.SubjectAlternativeNameExtension(namesOf(hosts)),
    ],
  });
  return issued(certificate, keys);
}

async function sign(
  authority: Authority,
  commonName: string,
  hosts: readonly string[],
  usages: readonly string[],
  validity: Validity,
): Promise<Issued> {
  const x509 = await library();
  const issuer = new x509.X509Certificate(authority.certificate);
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    ...common(validity),
    subject: subject(commonName),
    issuer: issuer.subject,
    publicKey: keys.publicKey,
    signingKey: await signingKey(authority.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([...usages]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ...(hosts.length > 0 ? [new x509.SubjectAlternativeNameExtension(namesOf(hosts))] : []),
    ],
  });
  return issued(certificate, keys);
}

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

function common({ fromMs, untilMs }: Validity) {
  const serialNumber = randomBytes(16);
  // Positive, whatever its first bit.
  serialNumber[0] = (serialNumber[0] ?? 0) & 0x7f || 1;
  return {
    serialNumber: serialNumber.toString('hex'),
    notBefore: new Date(fromMs),
    notAfter: new Date(untilMs),
    signingAlgorithm: ECDSA,
  };
}

/** As structured fields: no name can be taken for more than a name. */
function subject(commonName: string): { CN: string[] }[] {
  return [{ CN: [commonName] }];
}

function namesOf(hosts: readonly string[]): { type: 'ip' | 'dns'; value: string }[] {
  return hosts.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }));
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

async function signingKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  return (await webcrypto.subtle.importKey('pkcs8', der, ECDSA, false, ['sign'])) as webcrypto.CryptoKey;
}

async function issued(certificate: X509Certificate, { privateKey }: webcrypto.CryptoKeyPair): Promise<Issued> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', privateKey));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return {
    certificate: `${certificate.toString('pem')}\n`,
    key: `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`,
  };
}

/**
 * Loaded when first needed: few ever are. Its container of parts asks for the metadata of decorators (a proposal that no
 * engine has); none of the parts used here has any, and without somebody who says so the library does not load.
 */
async function library() {
  const reflect = Reflect as { getMetadata?: unknown; getOwnMetadata?: unknown; defineMetadata?: unknown };
  reflect.getMetadata ??= () => undefined;
  reflect.getOwnMetadata ??= () => undefined;
  reflect.defineMetadata ??= () => undefined;
  return await import('@peculiar/x509');
}
