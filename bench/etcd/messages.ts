/** The requests, each a template that is copied and patched with the call's key, revision or lease. */
import type { Call, Message } from '../http2/call.ts';
import { keyDigitsAt, keyTemplate, makeValue, rangeBegin, rangeEnd, writeDigits } from './keyspace.ts';
import { path } from './paths.ts';
import { bytesField, varintBytes, varintField, writeVarint } from './protobuf.ts';

/** Digits within a template are found by the key around them. */
function digitsIn(template: Buffer): number[] {
  const places: number[] = [];
  for (let at = template.indexOf(keyTemplate); at >= 0; at = template.indexOf(keyTemplate, at + 1)) {
    places.push(at + keyDigitsAt);
  }
  return places;
}

/** PutRequest of key number `call.key`. */
export class PutMessage implements Message {
  readonly path = path.put;
  readonly bytesMax: number;
  readonly #template: Buffer;
  readonly #digitsAt: number;

  constructor(valueBytes: number) {
    this.#template = Buffer.concat([bytesField(1, keyTemplate), bytesField(2, makeValue(valueBytes))]);
    this.#digitsAt = digitsIn(this.#template)[0] ?? 0;
    this.bytesMax = this.#template.length;
  }

  write(call: Call, out: Buffer, at: number): number {
    out.set(this.#template, at);
    writeDigits(out, at + this.#digitsAt, call.key);
    return at + this.#template.length;
  }
}

/** PutRequest of one key whose value begins with `call.key` as digits, so that a watcher knows which put it sees. */
export class NumberedPutMessage implements Message {
  readonly path = path.put;
  readonly bytesMax: number;
  readonly #template: Buffer;
  readonly #valueBytes: number;

  constructor(valueBytes: number) {
    this.#template = Buffer.concat([bytesField(1, keyTemplate), bytesField(2, makeValue(valueBytes))]);
    this.#valueBytes = valueBytes;
    this.bytesMax = this.#template.length;
  }

  write(call: Call, out: Buffer, at: number): number {
    out.set(this.#template, at);
    const end = at + this.#template.length;
    writeDigits(out, end - this.#valueBytes, call.key);
    return end;
  }
}

/** RangeRequest of the single key number `call.key`, linearizable. */
export class GetMessage implements Message {
  readonly path = path.range;
  readonly bytesMax: number;
  readonly #template: Buffer;
  readonly #digitsAt: number;

  constructor() {
    this.#template = bytesField(1, keyTemplate);
    this.#digitsAt = digitsIn(this.#template)[0] ?? 0;
    this.bytesMax = this.#template.length;
  }

  write(call: Call, out: Buffer, at: number): number {
    out.set(this.#template, at);
    writeDigits(out, at + this.#digitsAt, call.key);
    return at + this.#template.length;
  }
}

/**
 * A page of a list as kube-apiserver asks for it: from the prefix, or from behind the last key of the page before and at
 * the first page's revision. `call.key` is the number of keys already listed, `call.revision` the pinned one.
 */
export class ListMessage implements Message {
  readonly path = path.range;
  readonly bytesMax: number;
  readonly #first: Buffer;
  readonly #next: Buffer;
  readonly #digitsAt: number;

  constructor(pageKeys: number) {
    const tail = Buffer.concat([bytesField(2, rangeEnd), varintField(3, pageKeys)]);
    this.#first = Buffer.concat([bytesField(1, rangeBegin), tail]);
    this.#next = Buffer.concat([bytesField(1, keyTemplate, Buffer.from([0])), tail, Buffer.from([4 << 3])]);
    this.#digitsAt = digitsIn(this.#next)[0] ?? 0;
    this.bytesMax = this.#next.length + 10;
  }

  write(call: Call, out: Buffer, at: number): number {
    const template = call.key === 0 ? this.#first : this.#next;
    out.set(template, at);
    if (call.key === 0) return at + template.length;
    writeDigits(out, at + this.#digitsAt, call.key - 1);
    return writeVarint(out, at + template.length, call.revision);
  }
}

/**
 * kube-apiserver's optimistic write: if the key's mod revision is `call.revision` (0: it does not exist), put, else range.
 */
export class TxnMessage implements Message {
  readonly path = path.txn;
  readonly bytesMax: number;
  /** The compare's fields before its revision: target MOD (2), the key, the tag of mod_revision. Result EQUAL is the default. */
  readonly #compare: Buffer;
  readonly #compareDigitsAt: number;
  readonly #operations: Buffer;
  readonly #operationDigits: readonly number[];

  constructor(valueBytes: number) {
    this.#compare = Buffer.concat([varintField(2, 2), bytesField(3, keyTemplate), Buffer.from([6 << 3])]);
    this.#compareDigitsAt = digitsIn(this.#compare)[0] ?? 0;
    const put = bytesField(1, keyTemplate);
    this.#operations = Buffer.concat([
      bytesField(2, bytesField(2, put, bytesField(2, makeValue(valueBytes)))),
      bytesField(3, bytesField(1, bytesField(1, keyTemplate))),
    ]);
    this.#operationDigits = digitsIn(this.#operations);
    this.bytesMax = this.#compare.length + this.#operations.length + 16;
  }

  write(call: Call, out: Buffer, at: number): number {
    out[at++] = (1 << 3) | 2;
    at = writeVarint(out, at, this.#compare.length + varintBytes(call.revision));
    out.set(this.#compare, at);
    writeDigits(out, at + this.#compareDigitsAt, call.key);
    at = writeVarint(out, at + this.#compare.length, call.revision);
    out.set(this.#operations, at);
    for (let i = 0; i < this.#operationDigits.length; i++) {
      writeDigits(out, at + (this.#operationDigits[i] as number), call.key);
    }
    return at + this.#operations.length;
  }
}

/** A request that is always the same. */
export class FixedMessage implements Message {
  readonly path: string;
  readonly bytesMax: number;
  readonly #bytes: Buffer;

  constructor(method: string, bytes: Buffer) {
    this.path = method;
    this.#bytes = bytes;
    this.bytesMax = bytes.length;
  }

  write(_call: Call, out: Buffer, at: number): number {
    out.set(this.#bytes, at);
    return at + this.#bytes.length;
  }
}

/** Asks for a lease with id `call.key`. */
export class LeaseGrantMessage implements Message {
  readonly path = path.leaseGrant;
  readonly bytesMax = 32;
  readonly #ttlSeconds: number;

  constructor(ttlSeconds: number) {
    this.#ttlSeconds = ttlSeconds;
  }

  write(call: Call, out: Buffer, at: number): number {
    out[at++] = 1 << 3;
    at = writeVarint(out, at, this.#ttlSeconds);
    out[at++] = 2 << 3;
    return writeVarint(out, at, call.key);
  }
}

/** Keeps the lease `call.key` alive. */
export class KeepAliveMessage implements Message {
  readonly path = path.leaseKeepAlive;
  readonly bytesMax = 16;

  write(call: Call, out: Buffer, at: number): number {
    out[at++] = 1 << 3;
    return writeVarint(out, at, call.key);
  }
}
