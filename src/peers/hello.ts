import { parseAddress } from './address.ts';
import { PEER_LIMITS } from './limits.ts';
import { Refused } from './refused.ts';
import { type Ability, type Hello, type MemberId, PROTOCOL_VERSION } from './types.ts';

/** A hello as JSON: small, sent once per link, and what is new in it is skipped by those who do not know it. */
export function encodeHello(hello: Hello): string {
  return JSON.stringify(hello);
}

/** Throws Refused('bad-frame'). Everything is checked: what is wrong here would be believed for as long as the link lasts. */
export function decodeHello(bytes: Uint8Array): Hello {
  const value = decodeObject(bytes);
  const protocol = value['protocol'];
  if (typeof protocol !== 'number') throw malformed('protocol');
  if (protocol !== PROTOCOL_VERSION) {
    throw new Refused('protocol-version', `they speak version ${protocol} of the protocol, we ${PROTOCOL_VERSION}`);
  }
  const port = value['port'];
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 0 || port > 65_535) throw malformed('port');
  const addresses = texts(value, 'addresses', PEER_LIMITS.addressesPerMemberMax);
  if (addresses.some((address) => parseAddress(address) === undefined)) throw malformed('addresses');
  return {
    protocol,
    cluster: text(value, 'cluster'),
    store: text(value, 'store'),
    id: text(value, 'id', /^[0-9a-f]{64}$/),
    incarnation: text(value, 'incarnation', /^[0-9a-f]{16}$/),
    version: text(value, 'version'),
    name: text(value, 'name'),
    addresses,
    port,
    clientUrls: texts(value, 'clientUrls', PEER_LIMITS.urlsPerMemberMax),
    etcdMemberId: text(value, 'etcdMemberId', /^[0-9a-f]{1,16}$/),
    ability: abilityOf(value['ability']),
    bootId: value['bootId'] === undefined ? undefined : text(value, 'bootId', /^[0-9a-f-]{8,64}$/i),
  };
}

export function encodeAbility(ability: Ability): string {
  return JSON.stringify(ability);
}

/** Throws Refused('bad-frame'). */
export function decodeAbility(bytes: Uint8Array): Ability {
  return abilityOf(decodeObject(bytes));
}

/** Whether these two belong together. Throws Refused that says why not. */
export function checkHello(theirs: Hello, ours: Hello, provenId: MemberId): void {
  if (theirs.id !== provenId) {
    throw new Refused('identity-mismatch', 'they call themselves by another id than their certificate has');
  }
  if (theirs.id === ours.id) {
    if (theirs.incarnation === ours.incarnation) throw new Refused('self', 'this is ourselves');
    throw new Refused('same-identity', 'another process has the same key: a data folder was copied; remove its peers/');
  }
  if (theirs.cluster !== ours.cluster) {
    throw new Refused(
      'wrong-cluster',
      `they (${theirs.name}) belong to cluster ${theirs.cluster}, we to ${ours.cluster}`,
    );
  }
}

function abilityOf(value: unknown): Ability {
  if (!isObject(value)) throw malformed('ability');
  const { isAble } = value;
  if (typeof isAble !== 'boolean') throw malformed('ability');
  return { isAble, reason: text(value, 'reason') };
}

/** Throws Refused('bad-frame'). */
export function decodeObject(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw malformed('JSON');
  }
  if (!isObject(value)) throw malformed('object');
  return value;
}

/** Control characters would reach terminals and logs. Throws Refused('bad-frame'). */
export function text(value: Readonly<Record<string, unknown>>, name: string, pattern?: RegExp): string {
  const found = value[name];
  if (typeof found !== 'string' || !isPlain(found) || pattern?.test(found) === false) throw malformed(name);
  return found;
}

function texts(value: Readonly<Record<string, unknown>>, name: string, countMax: number): readonly string[] {
  const found = value[name];
  if (!Array.isArray(found) || found.length > countMax) throw malformed(name);
  return found.map((item: unknown) => {
    if (typeof item !== 'string' || !isPlain(item)) throw malformed(name);
    return item;
  });
}

function isPlain(found: string): boolean {
  return found.length <= PEER_LIMITS.textBytesMax && !/\p{Cc}/u.test(found);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(what: string): Refused {
  return new Refused('bad-frame', `malformed: ${what}`);
}
