import { constants, createHmac, type KeyObject, sign, timingSafeEqual, verify } from 'node:crypto';

/** Signing and verifying of one of JWT's algorithms. Source: RFC 7518 section 3, RFC 8037 section 3.1. */
export interface JwtMethod {
  /** As in a token's header. */
  readonly algorithm: string;
  /** What its keys are called by node:crypto; `secret` for HMAC. */
  readonly keyType: 'secret' | 'rsa' | 'ec' | 'ed25519';
  /** Of an EC key. */
  readonly curve?: string;
  sign(data: Buffer, key: KeyObject): Buffer;
  verify(data: Buffer, key: KeyObject, signature: Buffer): boolean;
}

/** All that etcd knows, by the name that --auth-token's sign-method has. */
export const JWT_METHODS: ReadonlyMap<string, JwtMethod> = new Map(
  [
    hmac('HS256', 'sha256'),
    hmac('HS384', 'sha384'),
    hmac('HS512', 'sha512'),
    rsa('RS256', 'sha256'),
    rsa('RS384', 'sha384'),
    rsa('RS512', 'sha512'),
    pss('PS256', 'sha256'),
    pss('PS384', 'sha384'),
    pss('PS512', 'sha512'),
    ecdsa('ES256', 'sha256', 'prime256v1'),
    ecdsa('ES384', 'sha384', 'secp384r1'),
    ecdsa('ES512', 'sha512', 'secp521r1'),
    ed25519(),
  ].map((method) => [method.algorithm, method]),
);

function hmac(algorithm: string, hash: string): JwtMethod {
  const digest = (data: Buffer, key: KeyObject): Buffer => createHmac(hash, key).update(data).digest();
  return {
    algorithm,
    keyType: 'secret',
    sign: digest,
    verify(data, key, signature) {
      const expected = digest(data, key);
      return expected.length === signature.length && timingSafeEqual(expected, signature);
    },
  };
}

function rsa(algorithm: string, hash: string): JwtMethod {
  return {
    algorithm,
    keyType: 'rsa',
    sign: (data, key) => sign(hash, data, key),
    verify: (data, key, signature) => verify(hash, data, key, signature),
  };
}

function pss(algorithm: string, hash: string): JwtMethod {
  const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_AUTO, RSA_PSS_SALTLEN_DIGEST } = constants;
  return {
    algorithm,
    keyType: 'rsa',
    sign: (data, key) => sign(hash, data, { key, padding, saltLength: RSA_PSS_SALTLEN_DIGEST }),
    // Go's library signs with the longest salt there is room for.
    verify: (data, key, signature) => verify(hash, data, { key, padding, saltLength: RSA_PSS_SALTLEN_AUTO }, signature),
  };
}

function ecdsa(algorithm: string, hash: string, curve: string): JwtMethod {
  const dsaEncoding = 'ieee-p1363';
  return {
    algorithm,
    keyType: 'ec',
    curve,
    sign: (data, key) => sign(hash, data, { key, dsaEncoding }),
    verify: (data, key, signature) => verify(hash, data, { key, dsaEncoding }, signature),
  };
}

function ed25519(): JwtMethod {
  return {
    algorithm: 'EdDSA',
    keyType: 'ed25519',
    sign: (data, key) => sign(null, data, key),
    verify: (data, key, signature) => verify(null, data, key, signature),
  };
}
