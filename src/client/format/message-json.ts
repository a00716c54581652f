import type { Field, MessageType } from '../../etcd/messages/schema.ts';
import type { JsonValue } from './go-json.ts';

/**
 * A message as etcdctl's `-w json` has it: fields by number under their names in the .proto file, those with the
 * default left out, enums as numbers, a oneof as an object of its own under the oneof's name with a capital.
 */
export function messageJson<T extends object>(type: MessageType<T>, value: Partial<T>): { [name: string]: JsonValue } {
  return fieldsJson(type.fields, value as Readonly<Record<string, unknown>>);
}

function fieldsJson(
  fields: Readonly<Record<string, Field>>,
  values: Readonly<Record<string, unknown>>,
): { [name: string]: JsonValue } {
  const json: { [name: string]: JsonValue } = {};
  const inOrder = Object.entries(fields).sort(([, a], [, b]) => a.number - b.number);
  for (const [name, field] of inOrder) {
    const value = values[name];
    if (isAbsent(value, field)) continue;
    const shown = field.repeated ? (value as unknown[]).map((one) => oneJson(field, one)) : oneJson(field, value);
    if (field.oneof === undefined) json[name] = shown;
    else json[field.oneof.charAt(0).toUpperCase() + field.oneof.slice(1)] = { [name]: shown };
  }
  return json;
}

function oneJson({ type }: Field, value: unknown): JsonValue {
  if (typeof type === 'function') return fieldsJson(type().fields, value as Readonly<Record<string, unknown>>);
  return value as JsonValue;
}

function isAbsent(value: unknown, field: Field): boolean {
  if (value === undefined) return true;
  if (field.oneof !== undefined) return false;
  if (typeof value === 'object') return (value as { readonly length?: number }).length === 0;
  return value === false || value === 0 || value === 0n || value === '';
}
