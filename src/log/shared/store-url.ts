import { parseDurationMs } from '../../base/duration.ts';
import { LogError } from '../../mvcc/log.ts';
import type { Host } from './host-list.ts';

/*
 *   scheme://user:password@host:port,host:port/database?parameter=value&…
 *
 * Read by hand: a list of hosts is no URL to Node. The password is shown nowhere.
 */

/** The parts of a database's URL, percent-decoded. */
export interface StoreUrl {
  /** Without the password: for logs and errors. */
  readonly shown: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Empty when none is named. */
  readonly hosts: readonly Host[];
  readonly database: string | undefined;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Throws a LogError `refused` that says what is wrong, never with the password. */
export function parseStoreUrl(url: string, defaultPort: number): StoreUrl {
  const shown = shownStoreUrl(url);
  const match = /^[a-z]+:\/\/(?:([^@/?]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(url);
  if (match === null)
    throw refuse(shown, 'it must look like scheme://user:password@host:port/database?parameter=value');
  const [, userInfo = '', hosts = '', database = '', query = ''] = match;
  const colon = userInfo.indexOf(':');
  const user = decode(shown, 'user', colon < 0 ? userInfo : userInfo.slice(0, colon));
  const password = colon < 0 ? '' : decode(shown, 'password', userInfo.slice(colon + 1));
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (parameters.has(name)) throw refuse(shown, `parameter ${name} is given twice`);
    parameters.set(name, value);
  }
  return {
    shown,
    user: user === '' ? undefined : user,
    password: password === '' ? undefined : password,
    hosts: hosts === '' ? [] : hosts.split(',').map((each) => hostOf(shown, each, defaultPort)),
    database: database === '' ? undefined : decode(shown, 'database', database),
    parameters,
  };
}

/** A store's URL as it may be shown: without a password, wherever one may stand. */
export function shownStoreUrl(url: string): string {
  return url
    .replace(/^([a-z]+:\/{0,2}[^:@/?]*):.*@/is, '$1:***@')
    .replace(/([?&][^=&]*password[^=&]*=)[^&]*/gi, '$1***');
}

/** A refusal that names the store. */
export function refuse(shown: string, why: string): LogError {
  return new LogError('refused', `store ${shown}: ${why}`);
}

function hostOf(shown: string, text: string, defaultPort: number): Host {
  if (text.includes('@')) throw refuse(shown, 'there is more than one @: write one in a password as %40');
  const match = /^(?:\[([0-9a-f:.%]+)\]|([^:@[\]]*))(?::(\d+))?$/i.exec(text);
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  const host = decode(shown, 'host', match?.[1] ?? match?.[2] ?? '');
  if (host === '' || port < 1 || port > 65_535) throw refuse(shown, `"${text}" is not a host or host:port`);
  return { host, port };
}

function decode(shown: string, what: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refuse(shown, `the ${what} has a broken percent escape (write % as %25)`);
  }
}

/** Reads parameters by name and refuses those that nobody asked for. */
export class UrlParameters {
  readonly #shown: string;
  readonly #left: Map<string, string>;
  readonly #known: string[] = [];

  constructor({ shown, parameters }: StoreUrl) {
    this.#shown = shown;
    this.#left = new Map(parameters);
  }

  text(name: string): string | undefined {
    const value = this.#left.get(name);
    this.#left.delete(name);
    this.#known.push(name);
    if (value === '') throw refuse(this.#shown, `parameter ${name} is empty`);
    return value;
  }

  oneOf<const T extends string>(name: string, known: readonly T[], otherwise: T): T {
    const value = this.text(name);
    if (value === undefined) return otherwise;
    const found = known.find((each) => each === value);
    if (found === undefined) throw this.#wrong(name, value, known.join(' or '));
    return found;
  }

  whole(name: string, min: number, max: number, otherwise: number): number {
    const value = this.text(name);
    if (value === undefined) return otherwise;
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max) {
      throw this.#wrong(name, value, `a whole number from ${min} to ${max}`);
    }
    return number;
  }

  durationMs(name: string, minMs: number, maxMs: number, otherwiseMs: number): number {
    const value = this.text(name);
    if (value === undefined) return otherwiseMs;
    const ms = parseDurationMs(value);
    if (ms === undefined || ms < minMs || ms > maxMs) {
      throw this.#wrong(name, value, `a duration such as 500ms or 5s, from ${minMs} to ${maxMs} ms`);
    }
    return ms;
  }

  /** Call it last. */
  finish(): void {
    const [unknown] = this.#left.keys();
    if (unknown === undefined) return;
    throw refuse(this.#shown, `unknown parameter ${unknown}; the known ones are ${this.#known.join(', ')}`);
  }

  #wrong(name: string, value: string, expected: string): LogError {
    return refuse(this.#shown, `parameter ${name} is "${value}"; it must be ${expected}`);
  }
}
