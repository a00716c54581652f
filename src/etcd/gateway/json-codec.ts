import type { AnyMessage, Field } from '../messages/schema.ts';
import { parseInteger } from './json-integer.ts';
import { JsonError, JsonReader } from './json-reader.ts';

/**
 * Messages as JSON, by their tables: protobuf's JSON mapping as grpc-gateway uses it for etcd.
 *
 *   bytes ↔ base64, int64 ↔ "decimal text", enum ↔ "NAME", names as in the .proto file, what is at its default left out
 *
 * Read more widely than written: lowerCamelCase names, numbers for int64 and enums, base64 for URLs, without padding;
 * unknown members are passed over. Source: protobuf's JSON mapping; seen with 3.5.30.
 */

/** Reads the first JSON value of a text into a message's fields, for the table's `encode`. Throws JsonError. */
export function messageFromJson(type: AnyMessage, text: string): object {
  return readMessage(new JsonReader(text), type);
}

/** The JSON text of a message that the table decoded. */
export function messageToJson(type: AnyMessage, value: object): string {
  const values = value as Readonly<Record<string, unknown>>;
  const members: string[] = [];
  for (const { name, field } of planOf(type).inOrder) {
    const found = values[name];
    if (!isTold(field, found)) continue;
    const written = field.repeated
      ? `[${(found as readonly unknown[]).map((item) => writeOne(field, item)).join(',')}]`
      : writeOne(field, found);
    members.push(`"${name}":${written}`);
  }
  return `{${members.join(',')}}`;
}

interface NamedField {
  readonly name: string;
  readonly field: Field;
}

interface Plan {
  readonly inOrder: readonly NamedField[];
  /** By both names. */
  readonly byName: ReadonlyMap<string, NamedField>;
}

const plans = new WeakMap<AnyMessage, Plan>();

function planOf(type: AnyMessage): Plan {
  let plan = plans.get(type);
  if (plan === undefined) {
    const inOrder = Object.entries(type.fields)
      .map(([name, field]) => ({ name, field }))
      .sort((a, b) => a.field.number - b.field.number);
    plan = { inOrder, byName: new Map(inOrder.flatMap((named) => namesOf(named.name).map((name) => [name, named]))) };
    plans.set(type, plan);
  }
  return plan;
}

/** `range_end`, `rangeEnd`. */
function namesOf(name: string): string[] {
  return [name, name.replace(/_([a-zA-Z0-9])/g, (_, char: string) => char.toUpperCase())];
}

function readMessage(reader: JsonReader, type: AnyMessage): object {
  if (reader.kind() !== 'object') {
    const at = reader.position;
    throw new JsonError(`proto: syntax error (${at}): unexpected token ${reader.skip()}`);
  }
  const { byName } = planOf(type);
  const value: Record<string, unknown> = {};
  const oneofs = new Set<string>();
  reader.enterObject();
  for (let written = reader.member(); written !== undefined; written = reader.member()) {
    const named = byName.get(written);
    if (named === undefined) {
      reader.skip();
      continue;
    }
    const { name, field } = named;
    if (Object.hasOwn(value, name))
      throw new JsonError(`proto: (${reader.memberPosition}): duplicate field "${written}"`);
    if (reader.kind() === 'null') {
      reader.literal('null');
      continue;
    }
    if (field.oneof !== undefined) {
      if (oneofs.has(field.oneof)) {
        throw new JsonError(
          `proto: (${reader.memberPosition}): error parsing "${written}", oneof ${type.name}.${field.oneof} is already set`,
        );
      }
      oneofs.add(field.oneof);
    }
    value[name] = field.repeated ? readList(reader, name, field) : readOne(reader, name, field);
  }
  return value;
}

function readList(reader: JsonReader, name: string, field: Field): unknown[] {
  if (reader.kind() !== 'array') throw invalid(reader, 'repeated', name);
  const list: unknown[] = [];
  reader.enterArray();
  while (reader.item()) list.push(readOne(reader, name, field));
  return list;
}

function readOne(reader: JsonReader, name: string, { type }: Field): unknown {
  if (typeof type === 'function') return readMessage(reader, type());
  const kind = reader.kind();
  if (typeof type === 'object') {
    if (kind === 'string') {
      const at = reader.position;
      const word = reader.string();
      const number = type.values.indexOf(word);
      if (number < 0)
        throw new JsonError(`proto: (${at}): unknown value ${JSON.stringify(word.slice(0, 64))} for enum ${type.name}`);
      return number;
    }
    return Number(readInteger(reader, 'enum', name, -(2n ** 31n), 2n ** 31n - 1n));
  }
  switch (type) {
    case 'bool':
      if (kind !== 'true' && kind !== 'false') throw invalid(reader, type, name);
      reader.literal(kind);
      return kind === 'true';
    case 'string':
      if (kind !== 'string') throw invalid(reader, type, name);
      return reader.string();
    case 'bytes':
      return readBytes(reader, name);
    case 'int32':
      return Number(readInteger(reader, type, name, -(2n ** 31n), 2n ** 31n - 1n));
    case 'uint32':
      return Number(readInteger(reader, type, name, 0n, 2n ** 32n - 1n));
    case 'uint64':
      return readInteger(reader, type, name, 0n, 2n ** 64n - 1n);
    case 'int64':
    case 'id64':
      return readInteger(reader, 'int64', name, -(2n ** 63n), 2n ** 63n - 1n);
  }
}

function readBytes(reader: JsonReader, name: string): Uint8Array {
  const at = reader.position;
  if (reader.kind() !== 'string') throw invalid(reader, 'bytes', name);
  const text = reader.string();
  // Buffer takes both alphabets, and anything else for nothing: so what it takes is looked at first.
  const digits = text.replace(/={1,2}$/, '');
  const isPadded = digits.length < text.length;
  if (!/^[A-Za-z0-9+/_-]*$/.test(digits) || digits.length % 4 === 1 || (isPadded && text.length % 4 !== 0)) {
    throw new JsonError(`proto: (${at}): invalid value for bytes field ${name}: ${JSON.stringify(text.slice(0, 64))}`);
  }
  return Buffer.from(text, 'base64');
}

function readInteger(reader: JsonReader, kind: string, name: string, min: bigint, max: bigint): bigint {
  const at = reader.position;
  const found = reader.kind();
  if (found !== 'number' && found !== 'string') throw invalid(reader, kind, name);
  const text = found === 'number' ? reader.number() : reader.string();
  const value = parseInteger(text);
  if (value === undefined || value < min || value > max) {
    const shown = found === 'number' ? text.slice(0, 64) : JSON.stringify(text.slice(0, 64));
    throw new JsonError(`proto: (${at}): invalid value for ${kind} field ${name}: ${shown}`);
  }
  return value;
}

function invalid(reader: JsonReader, kind: string, name: string): JsonError {
  const at = reader.position;
  return new JsonError(`proto: (${at}): invalid value for ${kind} field ${name}: ${reader.skip()}`);
}

/** As proto3 does: defaults are not, unless one of several possible fields was chosen. */
function isTold({ repeated, oneof, type }: Field, found: unknown): boolean {
  if (found === undefined) return false;
  if (repeated) return (found as readonly unknown[]).length > 0;
  if (oneof !== undefined || typeof type === 'function') return true;
  return found !== false && found !== 0 && found !== 0n && found !== '' && (found as Uint8Array).length !== 0;
}

function writeOne({ type }: Field, value: unknown): string {
  if (typeof type === 'function') return messageToJson(type(), value as object);
  if (typeof type === 'object') {
    const word = type.values[value as number];
    return word === undefined ? String(value) : `"${word}"`;
  }
  switch (type) {
    case 'string':
      return JSON.stringify(value);
    case 'bytes': {
      const { buffer, byteOffset, length } = value as Uint8Array;
      return `"${Buffer.from(buffer, byteOffset, length).toString('base64')}"`;
    }
    case 'int64':
    case 'id64':
    case 'uint64':
      return `"${value}"`;
    default:
      return String(value);
  }
}
