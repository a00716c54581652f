import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { parseDurationMs } from '../base/duration.ts';
import { UsageError } from '../base/usage-error.ts';
import { JWT_METHODS, type JwtMethod } from '../etcd/auth/jwt-methods.ts';
import { JwtTokens } from '../etcd/auth/jwt-tokens.ts';
import { SimpleTokens } from '../etcd/auth/simple-tokens.ts';
import type { Tokens } from '../etcd/auth/tokens.ts';

/** etcd's. */
const JWT_TTL_MS = 5 * 60 * 1000;
const JWT_KEYS = ['sign-method', 'pub-key', 'priv-key', 'ttl'];

/** Tokens as --auth-token says, as etcd reads it. Throws UsageError, which names the flag and never a key's content. */
export function tokensFor(option: string, simpleTtlMs: number, clock: Clock): Tokens {
  const [kind = '', ...pairs] = option.split(',');
  const settings = new Map<string, string>();
  for (const pair of pairs) {
    const [name = '', value, ...more] = pair.split('=');
    if (value === undefined || more.length > 0) throw wrong(`${pair} is no name=value`);
    if (settings.has(name)) throw wrong(`${name} is given twice`);
    settings.set(name, value);
  }
  if (kind === 'simple') {
    if (pairs.length > 0) throw wrong('simple takes no settings; see --auth-token-ttl');
    return new SimpleTokens({ clock, ttlMs: simpleTtlMs });
  }
  if (kind !== 'jwt') throw wrong(`"${kind}" is no kind of token; there are simple and jwt`);
  return jwtTokens(settings, clock);
}

function jwtTokens(settings: ReadonlyMap<string, string>, clock: Clock): JwtTokens {
  const unknown = [...settings.keys()].find((name) => !JWT_KEYS.includes(name));
  if (unknown !== undefined) throw wrong(`jwt has no setting ${unknown}; there are ${JWT_KEYS.join(', ')}`);
  const method = JWT_METHODS.get(settings.get('sign-method') ?? '');
  if (method === undefined) throw wrong(`sign-method must be one of ${[...JWT_METHODS.keys()].join(', ')}`);
  const ttl = settings.get('ttl') ?? '';
  return new JwtTokens({ clock, method, ttlMs: ttl === '' ? JWT_TTL_MS : ttlOf(ttl), ...keysOf(method, settings) });
}

function ttlOf(written: string): number {
  const ttlMs = parseDurationMs(written);
  if (ttlMs === undefined || ttlMs <= 0) throw wrong(`ttl=${written} is no duration; write it as 10m or 1h30m`);
  return ttlMs;
}

interface Keys {
  readonly signingKey: KeyObject | undefined;
  readonly verifyingKey: KeyObject;
}

function keysOf(method: JwtMethod, settings: ReadonlyMap<string, string>): Keys {
  const privateKey = read(settings, 'priv-key');
  const publicKey = read(settings, 'pub-key');
  if (method.keyType === 'secret') {
    if (privateKey === undefined) throw wrong(`${method.algorithm} needs priv-key, a file with the secret`);
    const secret = createSecretKey(privateKey);
    return { signingKey: secret, verifyingKey: secret };
  }
  const signingKey = privateKey && parsed(method, 'priv-key', () => createPrivateKey(privateKey));
  const given = publicKey && parsed(method, 'pub-key', () => createPublicKey(publicKey));
  const verifyingKey = signingKey === undefined ? given : createPublicKey(signingKey);
  if (verifyingKey === undefined) throw wrong('jwt needs priv-key, or pub-key for a server that only verifies');
  if (given !== undefined && !given.equals(verifyingKey)) throw wrong('pub-key and priv-key do not belong together');
  return { signingKey, verifyingKey };
}

function read(settings: ReadonlyMap<string, string>, name: string): Buffer | undefined {
  const file = settings.get(name) ?? '';
  if (file === '') return undefined;
  try {
    const content = readFileSync(file);
    if (content.length === 0) throw new Error('it is empty');
    return content;
  } catch (error) {
    throw wrong(`${name}=${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function parsed(method: JwtMethod, name: string, parse: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = parse();
  } catch {
    // What the parser says may show what is in the file.
    throw wrong(`${name} is no key in PEM form`);
  }
  if (key.asymmetricKeyType !== method.keyType) throw wrong(`${name} is no key for ${method.algorithm}`);
  const { namedCurve } = key.asymmetricKeyDetails ?? {};
  if (method.curve !== undefined && namedCurve !== method.curve)
    throw wrong(`${name} is on the curve ${namedCurve}; ${method.algorithm} needs ${method.curve}`);
  return key;
}

function wrong(what: string): UsageError {
  return new UsageError(`--auth-token: ${what}`);
}
