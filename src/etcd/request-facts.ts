import type { ApiMethod } from './messages/api.ts';
import type { AnyMessage } from './messages/schema.ts';

/**
 * What may be told of a request in a log: which keys, which lease, which user; never what is stored under a key, never a
 * password, token or hash. A list of what may, not of what may not: a field that nobody thought of is left out.
 */
const TOLD: ReadonlySet<string> = new Set([
  'key',
  'range_end',
  'revision',
  'start_revision',
  'limit',
  'count_only',
  'keys_only',
  'physical',
  'lease',
  'ID',
  'TTL',
  'watch_id',
  'name',
  'user',
  'role',
  'permType',
  'memberID',
  'targetID',
  'peerURLs',
  'action',
  'alarm',
  'rev',
]);

/** Of a list this many, of a text so many characters. */
const ITEMS_MAX = 16;
const TEXT_MAX = 256;

export type Facts = Readonly<Record<string, unknown>>;

/** What a request is about; empty when it cannot be read. */
export function requestFacts(method: ApiMethod, request: Uint8Array): Facts {
  try {
    return factsOf(method.request, method.request.decode(request));
  } catch {
    // Whoever handles it says what is wrong with it.
    return {};
  }
}

function factsOf(type: AnyMessage, value: object): Facts {
  const facts: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(type.fields)) {
    const found: unknown = (value as Readonly<Record<string, unknown>>)[name];
    if (found === undefined) continue;
    if (typeof field.type === 'function') {
      const of = field.type();
      const nested = field.repeated ? listOf(of, found as readonly object[]) : factsOf(of, found as object);
      if (Object.keys(nested).length > 0) facts[name] = nested;
    } else if (TOLD.has(name)) {
      const { type: scalar } = field;
      const shown = field.repeated
        ? (found as readonly unknown[]).slice(0, ITEMS_MAX).map(shownOf)
        : typeof scalar === 'object'
          ? (scalar.values[found as number] ?? found)
          : shownOf(found);
      if (isSaid(found)) facts[name] = shown;
    }
  }
  return facts;
}

function listOf(type: AnyMessage, values: readonly object[]): readonly unknown[] {
  const shown: unknown[] = values.slice(0, ITEMS_MAX).map((value) => factsOf(type, value));
  if (values.length > ITEMS_MAX) shown.push(`and ${values.length - ITEMS_MAX} more`);
  return shown;
}

function isSaid(value: unknown): boolean {
  return value !== 0 && value !== 0n && value !== false && value !== '' && (value as Uint8Array).length !== 0;
}

function shownOf(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'string') return value.slice(0, TEXT_MAX);
  return value instanceof Uint8Array ? shownKey(value) : value;
}

/** A key as text, what is no printable ASCII in it as `\xff`. Two keys never look the same. */
export function shownKey(bytes: Uint8Array): string {
  let shown = '';
  for (const byte of bytes.subarray(0, TEXT_MAX)) {
    if (byte === 0x5c) shown += '\\\\';
    else if (byte >= 0x20 && byte < 0x7f) shown += String.fromCharCode(byte);
    else shown += `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return bytes.length > TEXT_MAX ? `${shown}…` : shown;
}
