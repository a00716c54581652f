import type { MethodEntry } from './method-entry.ts';
import { parseTimeoutMs } from './timeout.ts';

/**
 * What a decoded header block says. One object may serve many requests (head-cache.ts), so it holds nothing of a
 * single call, and nobody writes to it.
 */
export class RequestHead {
  /** Name, value, name, value, …; one character per octet. */
  readonly fields: readonly string[];
  /** Why the block is malformed (RFC 9113, section 8.1.1); undefined: it is not. */
  fault: string | undefined;
  method = '';
  scheme = '';
  authority = '';
  path = '';
  contentType = '';
  /** grpc-encoding; empty: none. */
  encoding = '';
  /** undefined: no grpc-timeout; NaN: malformed. */
  timeoutMs: number | undefined = undefined;
  timeoutText = '';
  contentLength = -1;
  /** The list was longer than the limit and is incomplete. */
  readonly tooLarge: boolean;
  /** The method that `path` names. */
  readonly entry: MethodEntry | undefined;
  /** content-type is application/grpc, alone or followed by `+` or `;`. */
  readonly grpc: boolean;
  #metadata: ReadonlyMap<string, string> | undefined = undefined;

  /** `isWellFormed`: every name and value is in order by itself. */
  constructor(
    fields: readonly string[],
    tooLarge: boolean,
    isWellFormed: boolean,
    methods: ReadonlyMap<string, MethodEntry>,
  ) {
    this.fields = fields;
    this.tooLarge = tooLarge;
    this.fault = tooLarge ? undefined : isWellFormed ? this.#read() : 'field syntax';
    this.entry = methods.get(this.path);
    this.grpc = isGrpc(this.contentType);
  }

  /** Without pseudo-headers; repeated names joined by commas (cookies by semicolons). */
  get metadata(): ReadonlyMap<string, string> {
    if (this.#metadata === undefined) {
      const metadata = new Map<string, string>();
      for (let i = 0; i + 1 < this.fields.length; i += 2) {
        const name = this.fields[i] as string;
        const value = this.fields[i + 1] as string;
        if (name.startsWith(':')) continue;
        const before = metadata.get(name);
        metadata.set(name, before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ','}${value}`);
      }
      this.#metadata = metadata;
    }
    return this.#metadata;
  }

  #read(): string | undefined {
    let pseudo = 0;
    let regular = false;
    for (let i = 0; i + 1 < this.fields.length; i += 2) {
      const name = this.fields[i] as string;
      const value = this.fields[i + 1] as string;
      if (name.charCodeAt(0) === 0x3a) {
        if (regular) return 'pseudo-header after a field';
        const bit = PSEUDO_BITS[name];
        if (bit === undefined || (pseudo & bit) !== 0) return 'pseudo-header unknown or twice';
        pseudo |= bit;
        if (bit === METHOD) this.method = value;
        else if (bit === SCHEME) this.scheme = value;
        else if (bit === AUTHORITY) this.authority = value;
        else this.path = value;
        continue;
      }
      regular = true;
      const fault = this.#readField(name, value);
      if (fault !== undefined) return fault;
    }
    if (this.method === 'CONNECT') return (pseudo & (SCHEME | PATH)) === 0 ? undefined : 'CONNECT with a path';
    if ((pseudo & (METHOD | SCHEME | PATH)) !== (METHOD | SCHEME | PATH)) return 'pseudo-header missing';
    return this.path === '' ? 'empty path' : undefined;
  }

  #readField(name: string, value: string): string | undefined {
    switch (name) {
      case 'content-type':
        this.contentType = value;
        return undefined;
      case 'grpc-timeout':
        this.timeoutText = value;
        this.timeoutMs = parseTimeoutMs(value) ?? Number.NaN;
        return undefined;
      case 'grpc-encoding':
        this.encoding = value;
        return undefined;
      case 'content-length':
        if (!/^\d{1,15}$/.test(value)) return 'content-length';
        if (this.contentLength >= 0 && this.contentLength !== Number(value)) return 'content-length twice';
        this.contentLength = Number(value);
        return undefined;
      case 'te':
        return value === 'trailers' ? undefined : 'te';
      case 'connection':
      case 'keep-alive':
      case 'proxy-connection':
      case 'transfer-encoding':
      case 'upgrade':
        return 'connection-specific field';
      default:
        return undefined;
    }
  }
}

const METHOD = 1;
const SCHEME = 2;
const AUTHORITY = 4;
const PATH = 8;
const PSEUDO_BITS: Readonly<Record<string, number>> = {
  ':method': METHOD,
  ':scheme': SCHEME,
  ':authority': AUTHORITY,
  ':path': PATH,
};

function isGrpc(contentType: string): boolean {
  if (!contentType.startsWith('application/grpc')) return false;
  const next = contentType.charAt(16);
  return next === '' || next === '+' || next === ';';
}
