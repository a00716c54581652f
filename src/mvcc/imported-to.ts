import type { Records } from './records.ts';
import type { Revision, StoredRecord } from './types.ts';

/** Up to where a store was imported from a history that had holes (kine's): there a missing revision is no damage. */
const NAME = 'store/imported-to';

/** The record to import with such a history. */
export function importedTo(head: Revision): StoredRecord {
  return { name: NAME, value: new TextEncoder().encode(String(head)) };
}

/** 0: there are no holes anywhere. */
export function importedToOf(records: Records): Revision {
  const value = records.get(NAME);
  return value === undefined ? 0 : Number(new TextDecoder().decode(value));
}
