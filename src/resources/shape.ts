import { plainText } from './plain-text.ts';

/*
 * Checks JSON that came from elsewhere (a cache file, another member) against a type, field by field:
 *
 *     const disk: Reader<Disk> = record<Disk>({ name: text, sizeBytes: optional(count), … });
 *
 * The compiler sees to it that a shape names every field of its type. What a shape does not name is dropped; text is made
 * fit to show. A reader throws ShapeError with the place of what is wrong.
 */

export class ShapeError extends Error {
  override readonly name = 'ShapeError';
}

export type Reader<T> = (value: unknown, where: string) => T;

export const text: Reader<string> = (value, where) => {
  if (typeof value !== 'string') throw new ShapeError(`${where} is no text`);
  return plainText(value) ?? '';
};

/** CPUs in the kernel's format, which may be longer than a name. */
export const cpuList: Reader<string> = (value, where) => {
  if (typeof value !== 'string' || !/^[\d,-]{0,65536}$/.test(value))
    throw new ShapeError(`${where} is no list of CPUs`);
  return value;
};

/** A number that is neither negative nor infinite. */
export const count: Reader<number> = (value, where) => {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw new ShapeError(`${where} is no number`);
  return value;
};

export const yesNo: Reader<boolean> = (value, where) => {
  if (typeof value !== 'boolean') throw new ShapeError(`${where} is neither true nor false`);
  return value;
};

export function exactly<const Value extends string | number>(...values: readonly Value[]): Reader<Value> {
  return (value, where) => {
    const found = values.find((one) => one === value);
    if (found === undefined) throw new ShapeError(`${where} is not ${values.join(' or ')}`);
    return found;
  };
}

export function optional<T>(reader: Reader<T>): Reader<T | undefined> {
  return (value, where) => (value === undefined ? undefined : reader(value, where));
}

/** How long a list may be follows from the size of the JSON, which its caller bounds. */
export function list<T>(reader: Reader<T>): Reader<readonly T[]> {
  return (value, where) => {
    if (!Array.isArray(value)) throw new ShapeError(`${where} is no list`);
    return value.map((item: unknown, i) => reader(item, `${where}[${i}]`));
  };
}

export function record<T extends object>(fields: { readonly [Name in keyof T]-?: Reader<T[Name]> }): Reader<T> {
  const entries = Object.entries(fields) as readonly [string, Reader<unknown>][];
  return (value, where) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new ShapeError(`${where} is no object`);
    const found: Record<string, unknown> = {};
    for (const [name, reader] of entries) {
      // Own fields only: what an object inherits is nobody's answer.
      const given = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
      const field = reader(given, `${where}.${name}`);
      if (field !== undefined) found[name] = field;
    }
    return found as T;
  };
}

/** Bytes of JSON through a reader. Throws ShapeError, with `what` as the place, for anything else. */
export function readJson<T>(reader: Reader<T>, bytes: Uint8Array | string, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw new ShapeError(`${what} is no JSON`, { cause: error });
  }
  return reader(value, what);
}
