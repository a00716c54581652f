import { ProtobufError } from '../../base/protobuf.ts';
import { prettyJson } from './json-text.ts';
import { objectMeta } from './kubernetes-metadata.ts';
import { guessed, rawFields } from './schemaless.ts';
import { Branch, COLOURED, type Paint, PLAIN, type Tree, treeText } from './tree.ts';

/*
 * Values as kube-apiserver stores them. Built-in objects are `k8s\0` and then a protobuf message (runtime.Unknown) of
 * the kind and, in bytes, the object; its metadata is known, the rest shown by field numbers, for want of thousands of
 * schemas. Custom objects are JSON. Objects that are encrypted at rest stay so.
 * Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
 */

const MAGIC = Buffer.from('k8s\0');
const ENCRYPTED = Buffer.from('k8s:enc:');

/** What of an object is not its spec: shown first. */
const METADATA = 1;

/** A decoder of values; what it does not know it gives back as it is. */
export function kubernetesDecoder({
  colours,
}: {
  readonly colours: boolean;
}): (value: Uint8Array) => string | Uint8Array {
  const paint = colours ? COLOURED : PLAIN;
  return (value) => {
    if (startsWith(value, MAGIC)) return enveloped(value.subarray(MAGIC.length), paint) ?? value;
    if (startsWith(value, ENCRYPTED)) return encrypted(value);
    return prettyJson(Buffer.from(value).toString(), paint) ?? value;
  };
}

function startsWith(value: Uint8Array, start: Uint8Array): boolean {
  return Buffer.from(value.subarray(0, start.length)).equals(start);
}

/** undefined: the envelope is broken. */
function enveloped(bytes: Uint8Array, paint: Paint): string | undefined {
  try {
    const parts: [string, Tree][] = [];
    let raw: Uint8Array = new Uint8Array(0);
    let contentType = '';
    for (const { number, value } of rawFields(bytes)) {
      if (!(value instanceof Uint8Array)) continue;
      if (number === 1) parts.push(...typeMeta(value));
      else if (number === 2) raw = value;
      else if (number === 4) contentType = Buffer.from(value).toString();
    }
    // Unknown can hold JSON, too.
    if (contentType.includes('json'))
      return prettyJson(Buffer.from(raw).toString(), paint) ?? Buffer.from(raw).toString();
    return treeText(new Branch([...parts, ...object(raw)]), paint);
  } catch (error) {
    if (error instanceof ProtobufError) return undefined;
    throw error;
  }
}

function typeMeta(bytes: Uint8Array): [string, Tree][] {
  return rawFields(bytes).map(({ number, value }) => [
    number === 1 ? 'apiVersion' : number === 2 ? 'kind' : String(number),
    value instanceof Uint8Array ? Buffer.from(value).toString() : value,
  ]);
}

function object(raw: Uint8Array): [string, Tree][] {
  const rest: [string, Tree][] = [];
  const parts: [string, Tree][] = [];
  for (const { number, value } of rawFields(raw)) {
    if (number === METADATA && value instanceof Uint8Array && parts.length === 0) {
      parts.push(['metadata', objectMeta(value)]);
    } else rest.push([String(number), value instanceof Uint8Array ? guessed(value, 0) : value]);
  }
  return [...parts, ...together(rest)];
}

/** Fields that come several times are lists. */
function together(fields: readonly [string, Tree][]): [string, Tree][] {
  const byName = new Map<string, Tree[]>();
  for (const [name, value] of fields) byName.set(name, [...(byName.get(name) ?? []), value]);
  return [...byName].map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]);
}

function encrypted(value: Uint8Array): string {
  const provider = /^k8s:enc:([a-z]+:v\d+:[^:]{0,100}):/.exec(Buffer.from(value.subarray(0, 200)).toString('latin1'));
  return `(encrypted at rest: ${provider?.[1] ?? 'unknown provider'}, ${value.length} bytes)`;
}
