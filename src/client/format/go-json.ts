/** What can be written as JSON here. Bytes become base64, bigints exact numbers; undefined members are left out. */
export type JsonValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue | undefined };

/** JSON in Go's spelling: no spaces, and `<`, `>`, `&` escaped. Source: https://pkg.go.dev/encoding/json#Marshal */
export function goJson(value: JsonValue): string {
  if (typeof value === 'string') return jsonString(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString('base64')}"`;
  if (isList(value)) return `[${value.map(goJson).join(',')}]`;
  const members: string[] = [];
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) members.push(`${jsonString(name)}:${goJson(member)}`);
  }
  return `{${members.join(',')}}`;
}

function isList(value: object): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function jsonString(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, (special) => {
    return `\\u${special.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
