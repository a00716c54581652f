import { join } from 'node:path';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';
import fc from 'fast-check';
import * as auth from '../../src/etcd/messages/auth-table.ts';
import * as cluster from '../../src/etcd/messages/cluster-table.ts';
import * as election from '../../src/etcd/messages/election-table.ts';
import * as health from '../../src/etcd/messages/health-table.ts';
import * as kv from '../../src/etcd/messages/kv-table.ts';
import * as lease from '../../src/etcd/messages/lease-table.ts';
import * as lock from '../../src/etcd/messages/lock-table.ts';
import * as maintenance from '../../src/etcd/messages/maintenance-table.ts';
import type { Field, MessageType } from '../../src/etcd/messages/schema.ts';
import * as watch from '../../src/etcd/messages/watch-table.ts';
import { projectRoot } from '../support/project.ts';

type AnyMessage = MessageType<object>;

/** Every message that has a table, by its name without package. */
export const tables: ReadonlyMap<string, AnyMessage> = new Map(
  [kv, watch, lease, cluster, maintenance, auth, health, lock, election]
    .flatMap((module): unknown[] => Object.values(module))
    .filter((value): value is AnyMessage => typeof value === 'object' && value !== null && 'fields' in value)
    .map((table) => [shortName(table.name), table]),
);

export function shortName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

/** The tests' own .proto files, which have nothing in common with the tables but what they describe. */
export const definitions = loadSync(['etcd.proto', 'health.proto', 'lock.proto', 'election.proto'], {
  includeDirs: [join(projectRoot, 'test', 'support')],
  keepCase: true,
  longs: String,
  enums: Number,
  defaults: false,
});

/** A foreign codec of one message. */
export interface ForeignCodec {
  encode(value: object): Buffer;
  decode(bytes: Buffer): object;
}

/** The foreign codecs of all requests and responses, by message name. */
export const foreignCodecs: ReadonlyMap<string, ForeignCodec> = new Map(
  Object.values(definitions)
    .filter((definition) => !('format' in definition))
    .flatMap((service) => Object.values(service as Record<string, MethodDefinition<object, object>>))
    .flatMap((method): [string, ForeignCodec][] => [
      [nameOf(method.requestType), { encode: method.requestSerialize, decode: method.requestDeserialize }],
      [nameOf(method.responseType), { encode: method.responseSerialize, decode: method.responseDeserialize }],
    ]),
);

function nameOf({ type }: { readonly type: object }): string {
  return (type as { readonly name: string }).name;
}

const int64s = fc.oneof(fc.constantFrom(0, 1, -1, 127, 128), fc.maxSafeInteger());
const bigints = fc.oneof(
  fc.constantFrom(0n, 1n, -1n, -(2n ** 63n), 2n ** 63n - 1n),
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
);

/** Any value of a message, absent fields left out, nested at most `depth` deep. */
export function anyValue(table: AnyMessage, depth = 3): fc.Arbitrary<Record<string, unknown>> {
  const oneofs = new Map<string, fc.Arbitrary<Record<string, unknown>>[]>();
  const plain: fc.Arbitrary<Record<string, unknown>>[] = [];
  for (const [name, field] of Object.entries(table.fields)) {
    if (typeof field.type === 'function' && depth === 0) continue;
    const one = oneOf(field, depth);
    const value = field.repeated ? fc.array(one, { maxLength: 3 }) : one;
    const entry = value.map((found) => ({ [name]: found }));
    if (field.oneof === undefined) plain.push(fc.oneof(entry, fc.constant({})));
    else oneofs.set(field.oneof, [...(oneofs.get(field.oneof) ?? [fc.constant({})]), entry]);
  }
  const parts = [...plain, ...[...oneofs.values()].map((choices) => fc.oneof(...choices))];
  return fc.tuple(...parts).map((entries) => Object.assign({}, ...entries) as Record<string, unknown>);
}

function oneOf(field: Field, depth: number): fc.Arbitrary<unknown> {
  const { type } = field;
  if (typeof type === 'function') return anyValue(type(), depth - 1);
  if (typeof type === 'object') return fc.nat(type.values.length - 1);
  switch (type) {
    case 'bool':
      return fc.boolean();
    case 'int32':
      return fc.integer();
    case 'uint32':
      return fc.nat();
    case 'int64':
      return int64s;
    case 'id64':
      return bigints;
    case 'uint64':
      return bigints.map((value) => BigInt.asUintN(64, value));
    case 'string':
      return fc.string({ unit: 'grapheme', maxLength: 20 });
    case 'bytes':
      return fc.oneof(fc.uint8Array({ maxLength: 10 }), fc.uint8Array({ minLength: 100, maxLength: 300 }));
  }
}

/** Both sides' values in one form: absent fields and defaults left out, integers as text, bytes in hex. */
export function plainForm(value: unknown): unknown {
  if (typeof value === 'bigint' || typeof value === 'number') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(plainForm);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, found]) => !isAbsent(found))
      .map(([name, found]) => [name, plainForm(found)]),
  );
}

function isAbsent(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === '') return true;
  if (value === 0 || value === 0n || value === '0') return true;
  return (value instanceof Uint8Array || Array.isArray(value)) && value.length === 0;
}
