import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jwtVerify, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import type { Tokens } from '../../src/etcd/auth/tokens.ts';
import { tokensFor } from '../../src/server/auth-token.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';

interface Keys {
  readonly option: string;
  /** For a foreign library. */
  readonly signing: KeyObject | Uint8Array;
  readonly verifying: KeyObject | Uint8Array;
}

let folder = '';
beforeAll(() => {
  folder = temporaryFolder('jwt');
});
afterAll(() => removeFolder(folder));

function keysFor(method: string): Keys {
  const file = join(folder, method);
  if (method.startsWith('HS')) {
    const secret = randomBytes(64);
    writeFileSync(file, secret);
    return { option: `jwt,sign-method=${method},priv-key=${file},ttl=10m`, signing: secret, verifying: secret };
  }
  const { privateKey, publicKey } = pairFor(method);
  writeFileSync(`${file}.key`, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(`${file}.pub`, publicKey.export({ type: 'spki', format: 'pem' }));
  const option = `jwt,sign-method=${method},priv-key=${file}.key,pub-key=${file}.pub,ttl=10m`;
  return { option, signing: privateKey, verifying: publicKey };
}

function pairFor(method: string): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  const curves: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };
  const namedCurve = curves[method];
  if (namedCurve !== undefined) return generateKeyPairSync('ec', { namedCurve });
  return method === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('rsa', { modulusLength: 2048 });
}

const tokensOf = (option: string): Tokens => tokensFor(option, 300_000, systemClock);

describe('JWT', () => {
  it.each(['HS256', 'HS512', 'RS256', 'RS512', 'PS256', 'PS384', 'ES256', 'ES384', 'ES512', 'EdDSA'])(
    '%s: a foreign library takes ours, and we take its',
    async (method) => {
      const { option, signing, verifying } = keysFor(method);
      const tokens = tokensOf(option);
      const token = tokens.assign('alice', 7);
      expect(tokens.identify(token, 0)).toMatchObject({ user: 'alice', revision: 7 });
      const { payload, protectedHeader } = await jwtVerify(token, verifying);
      expect(payload).toMatchObject({ username: 'alice', revision: 7 });
      expect(protectedHeader).toEqual({ alg: method, typ: 'JWT' });

      const sign = (claims: Record<string, unknown>): Promise<string> =>
        new SignJWT(claims).setProtectedHeader({ alg: method }).sign(signing);
      const nowSeconds = Date.now() / 1000;
      const whole = { username: 'bob', revision: 3, exp: nowSeconds + 60 };
      expect(tokens.identify(await sign(whole), 0)).toMatchObject({ user: 'bob', revision: 3 });
      for (const wrong of [
        { ...whole, exp: nowSeconds - 1 },
        { ...whole, nbf: nowSeconds + 60 },
        { ...whole, iat: nowSeconds + 60 },
        { ...whole, username: 5 },
        { ...whole, revision: '3' },
        { exp: whole.exp },
      ])
        expect(tokens.identify(await sign(wrong), 0)).toBeUndefined();
    },
  );

  it('the token does not choose how it is verified, and is not changed', async () => {
    const { option, verifying } = keysFor('RS256');
    const tokens = tokensOf(option);
    const [head = '', payload = '', signature = ''] = tokens.assign('alice', 7).split('.');
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const asSecret = Buffer.from((verifying as KeyObject).export({ type: 'spki', format: 'pem' }));
    const confused = await new SignJWT({ username: 'root', revision: 7 })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(asSecret);
    const other = await new SignJWT({ username: 'root', revision: 7 })
      .setProtectedHeader({ alg: 'RS256' })
      .sign(pairFor('RS256').privateKey);
    const root = encode({ username: 'root', revision: 7 });
    for (const forged of [
      confused,
      other,
      `${encode({ alg: 'none' })}.${root}.`,
      `${head}.${root}.${signature}`,
      `${head}.${payload}.`,
      `${head}.${payload}`,
      `${head}.${payload}.${signature}.more`,
      '..',
      '',
      'x'.repeat(10_000),
    ])
      expect(tokens.identify(forged, 0)).toBeUndefined();
  });

  it('a public key alone verifies and does not sign', () => {
    const { option } = keysFor('ES256');
    const token = tokensOf(option).assign('alice', 1);
    const verifier = tokensOf(option.replace(/priv-key=[^,]*,/, ''));
    expect(verifier.identify(token, 0)).toMatchObject({ user: 'alice' });
    expect(() => verifier.assign('alice', 1)).toThrow('auth: token signing attempted with verify-only key');
  });

  it('says what is wrong with --auth-token, and shows no key', () => {
    const rs = keysFor('RS256').option;
    const es = keysFor('ES256').option;
    writeFileSync(join(folder, 'bad'), 'secret stuff');
    const cases: readonly (readonly [string, string])[] = [
      ['kerberos', '"kerberos" is no kind of token; there are simple and jwt'],
      ['jwt', 'sign-method must be one of HS256'],
      ['jwt,sign-method=RS256', 'jwt needs priv-key'],
      ['jwt,sign-method=HS256', 'HS256 needs priv-key'],
      ['jwt,sign-method=RS256,sign-method=RS256', 'sign-method is given twice'],
      ['jwt,sign-method', 'sign-method is no name=value'],
      ['jwt,sign-mehtod=RS256', 'jwt has no setting sign-mehtod'],
      ['jwt,sign-method=RS256,priv-key=/nowhere', 'priv-key=/nowhere cannot be read'],
      [`jwt,sign-method=RS256,priv-key=${join(folder, 'bad')}`, 'priv-key is no key in PEM form'],
      [rs.replace('RS256,', 'ES256,'), 'priv-key is no key for ES256'],
      [es.replace('ES256,', 'ES384,'), 'priv-key is on the curve prime256v1; ES384 needs secp384r1'],
      [rs.replace('ttl=10m', 'ttl=soon'), 'ttl=soon is no duration'],
    ];
    for (const [option, message] of cases) expect(() => tokensOf(option), option).toThrow(`--auth-token: ${message}`);
    const [a, other] = [keysFor('RS256').option, keysFor('PS256').option];
    const mixed = a.replace(/pub-key=[^,]*/, /pub-key=[^,]*/.exec(other)?.[0] ?? '');
    expect(() => tokensOf(mixed)).toThrow('pub-key and priv-key do not belong together');
  });
});
