import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProtobufError } from '../../src/base/protobuf.ts';
import type { Field } from '../../src/etcd/messages/schema.ts';
import { anyValue, definitions, foreignCodecs, plainForm, shortName, tables } from './message-tables.ts';

interface FieldDescriptor {
  readonly name: string;
  readonly number: number;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
  readonly oneofIndex?: number;
}

/** Messages that only members of one cluster or etcd's own tests send: no .proto of ours has them. */
const internal = new Set([
  'LeaseCheckpoint',
  'LeaseCheckpointRequest',
  'LeaseCheckpointResponse',
  'DowngradeVersionTestRequest',
]);

function described(name: string): readonly FieldDescriptor[] {
  const found = Object.entries(definitions).find(([full, value]) => 'format' in value && shortName(full) === name);
  if (found === undefined) throw new Error(`no message ${name}`);
  return (found[1].type as unknown as { readonly field: readonly FieldDescriptor[] }).field;
}

function typeName(field: Field): string {
  if (typeof field.type === 'function') return `TYPE_MESSAGE ${shortName(field.type().name)}`;
  if (typeof field.type === 'object') return `TYPE_ENUM ${shortName(field.type.name)}`;
  return field.type === 'id64' ? 'TYPE_INT64' : `TYPE_${field.type.toUpperCase()}`;
}

describe('the tables describe the messages of the .proto files', () => {
  const names = Object.entries(definitions)
    .filter(([, value]) => 'format' in value && 'field' in (value.type as object))
    .map(([name]) => shortName(name));

  test('none is missing', () => {
    expect([...tables.keys()].filter((name) => !internal.has(name)).sort()).toEqual([...new Set(names)].sort());
  });

  test.each(names)('%s', (name) => {
    const theirs = described(name).map(
      (field) =>
        `${field.number} ${field.name} ${field.label === 'LABEL_REPEATED' ? 'repeated ' : ''}${field.type}${
          field.typeName ? ` ${shortName(field.typeName)}` : ''
        }`,
    );
    const ours = Object.entries(tables.get(name)?.fields ?? {}).map(
      ([fieldName, field]) => `${field.number} ${fieldName} ${field.repeated ? 'repeated ' : ''}${typeName(field)}`,
    );
    expect(ours.sort()).toEqual(theirs.sort());
  });
});

describe('a foreign codec understands the tables', () => {
  test.each([...foreignCodecs.keys()])('%s', (name) => {
    const table = tables.get(name);
    const foreign = foreignCodecs.get(name);
    if (table === undefined || foreign === undefined) throw new Error(`no ${name}`);
    fc.assert(
      fc.property(anyValue(table), (value) => {
        const ours = table.encode(value);
        const theirs = foreign.decode(Buffer.from(ours));
        expect(plainForm(theirs)).toEqual(plainForm(value));
        expect(plainForm(table.decode(foreign.encode(theirs)))).toEqual(plainForm(value));
        expect(plainForm(table.decode(ours))).toEqual(plainForm(value));
      }),
      { numRuns: 60 },
    );
  });
});

test('random bytes never make a table throw anything but ProtobufError', () => {
  const all = [...tables.values()];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(all.length - 1), (bytes, which) => {
      try {
        all[which]?.decode(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtobufError);
      }
    }),
    { numRuns: 3000 },
  );
});
