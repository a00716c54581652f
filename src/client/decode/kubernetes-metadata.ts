import { type RawField, rawFields } from './schemaless.ts';
import { Branch, type Tree } from './tree.ts';

/*
 * ObjectMeta, the one message that all objects of Kubernetes have first.
 * Source: k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto, whose field numbers never change.
 */

type Read = (value: RawField['value']) => Tree;

interface KnownField {
  readonly name: string;
  readonly read: Read;
  /** `list`: each time one more; `map`: entries of one object. */
  readonly repeated?: 'list' | 'map';
}

const text: Read = (value) => (value instanceof Uint8Array ? Buffer.from(value).toString() : value);
const number: Read = (value) => (value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value);
const truth: Read = (value) => value !== 0;

/** meta/v1.Time. */
const time: Read = (value) => {
  if (!(value instanceof Uint8Array)) return value;
  const seconds = rawFields(value).find((field) => field.number === 1)?.value ?? 0;
  return typeof seconds === 'number' && Math.abs(seconds) < 8e12
    ? new Date(seconds * 1000).toISOString().replace('.000', '')
    : String(seconds);
};

/** FieldsV1: JSON in bytes. */
const fieldsV1: Read = (value) => {
  const raw = value instanceof Uint8Array ? rawFields(value).find((field) => field.number === 1)?.value : undefined;
  return raw instanceof Uint8Array ? Buffer.from(raw).toString() : '';
};

const OWNER: Readonly<Record<number, KnownField>> = {
  1: { name: 'kind', read: text },
  3: { name: 'name', read: text },
  4: { name: 'uid', read: text },
  5: { name: 'apiVersion', read: text },
  6: { name: 'controller', read: truth },
  7: { name: 'blockOwnerDeletion', read: truth },
};

const MANAGED: Readonly<Record<number, KnownField>> = {
  1: { name: 'manager', read: text },
  2: { name: 'operation', read: text },
  3: { name: 'apiVersion', read: text },
  4: { name: 'time', read: time },
  6: { name: 'fieldsType', read: text },
  7: { name: 'fieldsV1', read: fieldsV1 },
  8: { name: 'subresource', read: text },
};

const META: Readonly<Record<number, KnownField>> = {
  1: { name: 'name', read: text },
  2: { name: 'generateName', read: text },
  3: { name: 'namespace', read: text },
  4: { name: 'selfLink', read: text },
  5: { name: 'uid', read: text },
  6: { name: 'resourceVersion', read: text },
  7: { name: 'generation', read: number },
  8: { name: 'creationTimestamp', read: time },
  9: { name: 'deletionTimestamp', read: time },
  10: { name: 'deletionGracePeriodSeconds', read: number },
  11: { name: 'labels', read: entry, repeated: 'map' },
  12: { name: 'annotations', read: entry, repeated: 'map' },
  13: { name: 'ownerReferences', read: (value) => known(value, OWNER), repeated: 'list' },
  14: { name: 'finalizers', read: text, repeated: 'list' },
  17: { name: 'managedFields', read: (value) => known(value, MANAGED), repeated: 'list' },
};

/** Throws ProtobufError when the bytes are no message. */
export function objectMeta(bytes: Uint8Array): Tree {
  return known(bytes, META);
}

/** A map's entry: a branch of one part. */
function entry(value: RawField['value']): Tree {
  const fields = value instanceof Uint8Array ? rawFields(value) : [];
  const of = (wanted: number) => text(fields.find((field) => field.number === wanted)?.value ?? Buffer.alloc(0));
  return new Branch([[String(of(1)), of(2)]]);
}

function known(value: RawField['value'], table: Readonly<Record<number, KnownField>>): Tree {
  if (!(value instanceof Uint8Array)) return value;
  const parts = new Map<string, Tree>();
  for (const field of rawFields(value)) {
    const { name, read, repeated } = table[field.number] ?? { name: String(field.number), read: number };
    const shown = read(field.value);
    const before = parts.get(name);
    if (repeated === 'list') parts.set(name, [...(Array.isArray(before) ? (before as Tree[]) : []), shown]);
    else if (repeated === 'map' && before instanceof Branch && shown instanceof Branch) {
      parts.set(name, new Branch([...before.parts, ...shown.parts]));
    } else if (shown !== '') parts.set(name, shown);
  }
  return new Branch([...parts]);
}
