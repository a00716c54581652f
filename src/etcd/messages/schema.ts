import { Reader, tagOf, WireType, Writer } from '../../base/protobuf.ts';

/**
 * Messages as data: name, number and type of every field, in one place per message. Encoding and decoding by table is
 * slow (some microseconds) and meant for what is rare; the frequent messages have codecs by hand beside their table
 * (range.ts, put.ts, …), and a test holds the two together. Field names are those of etcd's .proto files.
 *
 *   const HashKVRequest = message('etcdserverpb.HashKVRequest', { revision: int64(1) });
 *   HashKVRequest.decode(reader).revision
 */
export interface MessageType<T> {
  /** With its package: `etcdserverpb.Member`. */
  readonly name: string;
  readonly fields: Readonly<Record<string, Field>>;
  /** Reads up to the end of the reader's message. Fields that are not there have proto3's default. */
  read(reader: Reader): T;
  /** Fields with proto3's default are left out; those in a oneof and messages only when undefined. */
  write(writer: Writer, value: Partial<T>): void;
  decode(bytes: Uint8Array): T;
  encode(value: Partial<T>): Uint8Array;
}

/** int64 is a number (rounded beyond 2^53); id64 is an int64 that must be exact, as uint64 must: bigint. */
export type ScalarKind = 'bool' | 'int32' | 'uint32' | 'int64' | 'id64' | 'uint64' | 'string' | 'bytes';

export interface Field<T = unknown> {
  readonly number: number;
  readonly type: ScalarKind | EnumType | (() => AnyMessage);
  readonly repeated: boolean;
  /** The oneof that it is part of. */
  readonly oneof: string | undefined;
  /** What a message without the field has. */
  readonly absent: T;
}

export interface EnumType {
  readonly name: string;
  /** values[i] is the name of number i. */
  readonly values: readonly string[];
}

/** Any message, whatever its fields: what is known of it is its table. */
export type AnyMessage = MessageType<object>;

/** What a message of the given fields holds. */
export type ValueOf<Fields extends Readonly<Record<string, Field>>> = {
  readonly [Name in keyof Fields]: Fields[Name] extends Field<infer T> ? T : never;
};

/** The value type of a message type. */
export type Value<M> = M extends MessageType<infer T> ? T : never;

function field<T>(number: number, type: Field['type'], absent: T): Field<T> {
  return { number, type, repeated: false, oneof: undefined, absent };
}

const NO_BYTES: Uint8Array = new Uint8Array(0);

export const bool = (number: number): Field<boolean> => field(number, 'bool', false);
export const int32 = (number: number): Field<number> => field(number, 'int32', 0);
export const uint32 = (number: number): Field<number> => field(number, 'uint32', 0);
export const int64 = (number: number): Field<number> => field(number, 'int64', 0);
export const id64 = (number: number): Field<bigint> => field(number, 'id64', 0n);
export const uint64 = (number: number): Field<bigint> => field(number, 'uint64', 0n);
export const string = (number: number): Field<string> => field(number, 'string', '');
/** Decoded, it is a view of the message. */
export const bytes = (number: number): Field<Uint8Array> => field(number, 'bytes', NO_BYTES);
/** Its value is the number. */
export const enumeration = (number: number, type: EnumType): Field<number> => field(number, type, 0);
/** A message within the message; undefined when it is not there. */
export const nested = <T extends object>(number: number, type: MessageType<T>): Field<Partial<T> | undefined> =>
  field(number, () => type as AnyMessage, undefined);
/** For messages that hold each other. */
export const nestedLater = (number: number, type: () => AnyMessage): Field<object | undefined> =>
  field(number, type, undefined);
export const repeated = <T>(of: Field<T>): Field<readonly NonNullable<T>[]> => ({ ...of, repeated: true, absent: [] });
/** Part of a oneof: undefined when it is not the one that is set. */
export const oneof = <T>(name: string, of: Field<T>): Field<T | undefined> => ({
  ...of,
  oneof: name,
  absent: undefined,
});

/** Declares a message. */
export function message<Fields extends Readonly<Record<string, Field>>>(
  name: string,
  fields: Fields,
): MessageType<ValueOf<Fields>> {
  return new TableMessage(name, fields);
}

interface NamedField {
  readonly name: string;
  readonly field: Field;
}

class TableMessage<Fields extends Readonly<Record<string, Field>>> implements MessageType<ValueOf<Fields>> {
  readonly name: string;
  readonly fields: Fields;
  private readonly byTag = new Map<number, NamedField>();
  private readonly inOrder: readonly NamedField[];

  constructor(name: string, fields: Fields) {
    this.name = name;
    this.fields = fields;
    this.inOrder = Object.entries(fields)
      .map(([fieldName, field]) => ({ name: fieldName, field }))
      .sort((a, b) => a.field.number - b.field.number);
    for (const named of this.inOrder) {
      const { field } = named;
      this.byTag.set(tagOf(field.number, wireTypeOf(field)), named);
      // Repeated numbers may come packed or one by one.
      if (field.repeated && isPackable(field)) this.byTag.set(tagOf(field.number, WireType.bytes), named);
    }
  }

  read(reader: Reader): ValueOf<Fields> {
    const value: Record<string, unknown> = {};
    for (const { name, field } of this.inOrder) value[name] = field.repeated ? [] : field.absent;
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      const named = this.byTag.get(tag);
      if (named === undefined) reader.skip(tag);
      else this.readField(reader, value, named, tag);
    }
    return value as ValueOf<Fields>;
  }

  private readField(reader: Reader, value: Record<string, unknown>, { name, field }: NamedField, tag: number): void {
    if (!field.repeated) {
      if (field.oneof !== undefined) this.clear(value, field.oneof);
      value[name] = readOne(reader, field);
      return;
    }
    const list = value[name] as unknown[];
    if (!isPackable(field) || (tag & 7) !== WireType.bytes) {
      list.push(readOne(reader, field));
      return;
    }
    const limit = reader.enter();
    while (reader.remaining > 0) list.push(readOne(reader, field));
    reader.leave(limit);
  }

  /** Of a oneof only what came last counts. */
  private clear(value: Record<string, unknown>, oneofName: string): void {
    for (const { name, field } of this.inOrder) if (field.oneof === oneofName) value[name] = undefined;
  }

  write(writer: Writer, value: Partial<ValueOf<Fields>>): void {
    for (const { name, field } of this.inOrder) {
      const found: unknown = value[name];
      if (found === undefined) continue;
      if (field.repeated) writeRepeated(writer, field, found as readonly unknown[]);
      else if (field.oneof !== undefined || !isDefault(found)) {
        writer.tag(tagOf(field.number, wireTypeOf(field)));
        writeOne(writer, field, found);
      }
    }
  }

  decode(encoded: Uint8Array): ValueOf<Fields> {
    return this.read(new Reader(encoded));
  }

  encode(value: Partial<ValueOf<Fields>>): Uint8Array {
    const writer = new Writer(256);
    this.write(writer, value);
    return writer.take();
  }
}

function isPackable({ type }: Field): boolean {
  return type !== 'string' && type !== 'bytes' && typeof type !== 'function';
}

function wireTypeOf(field: Field): number {
  return isPackable(field) ? WireType.varint : WireType.bytes;
}

function isDefault(value: unknown): boolean {
  return value === false || value === 0 || value === 0n || value === '' || (value as Uint8Array).length === 0;
}

function readOne(reader: Reader, { type }: Field): unknown {
  if (typeof type === 'function') {
    const limit = reader.enter();
    const value = type().read(reader);
    reader.leave(limit);
    return value;
  }
  if (typeof type === 'object') return reader.int32();
  switch (type) {
    case 'bool':
      return reader.bool();
    case 'int32':
      return reader.int32();
    case 'uint32':
      return reader.uint32();
    case 'int64':
      return reader.int64();
    case 'id64':
      return reader.int64Big();
    case 'uint64':
      return reader.uint64Big();
    case 'string':
      return reader.string();
    case 'bytes':
      return reader.view();
  }
}

function writeOne(writer: Writer, { type }: Field, value: unknown): void {
  if (typeof type === 'function') {
    const mark = writer.openLength();
    type().write(writer, value as object);
    writer.close(mark);
  } else if (type === 'string') writer.string(value as string);
  else if (type === 'bytes') writer.bytes(value as Uint8Array);
  else if (typeof value === 'bigint') writer.int64Big(value);
  else writer.int64(Number(value));
}

function writeRepeated(writer: Writer, field: Field, values: readonly unknown[]): void {
  if (values.length === 0) return;
  if (!isPackable(field)) {
    for (const value of values) {
      writer.tag(tagOf(field.number, WireType.bytes));
      writeOne(writer, field, value);
    }
    return;
  }
  const mark = writer.open(tagOf(field.number, WireType.bytes));
  for (const value of values) writeOne(writer, field, value);
  writer.close(mark);
}
