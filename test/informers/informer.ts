import type { EtcdClient } from '../support/client.ts';
import type { Event, KeyValue } from '../support/messages.ts';

export const registry = { key: Buffer.from('/registry/'), range_end: Buffer.from('/registry0') };

/** Key → value and revision, as one line each: what an informer believes. */
export type Picture = Map<string, string>;

export interface Listing {
  readonly picture: Picture;
  readonly revision: number;
}

function show(kv: KeyValue): string {
  return `${kv.value.toString('latin1')} create ${kv.create_revision} mod ${kv.mod_revision} version ${kv.version}`;
}

/** Lists as Kubernetes does: pages of `limit` (0: all at once), the first page's revision for all that follow. */
export async function list(client: EtcdClient, limit: number, atRevision = 0, range = registry): Promise<Listing> {
  const picture: Picture = new Map();
  let revision = atRevision;
  let { key } = range;
  for (;;) {
    const page = await client.call('KV/Range', { key, range_end: range.range_end, limit, revision });
    if (revision === 0) revision = Number(page.header?.revision);
    for (const kv of page.kvs) {
      if (Number(kv.mod_revision) > revision) {
        throw new Error(`${kv.key} of revision ${kv.mod_revision} in a list of revision ${revision}`);
      }
      picture.set(kv.key.toString('latin1'), show(kv));
    }
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) return { picture, revision };
    key = Buffer.concat([last.key, Buffer.from([0])]);
  }
}

/** Applies events to a picture; throws when one comes twice, late or out of nothing. */
export function apply(picture: Picture, events: readonly Event[], after: number): number {
  let newest = after;
  for (const { type, kv } of events) {
    if (kv === null) throw new Error('an event without a key');
    const revision = Number(kv.mod_revision);
    const key = kv.key.toString('latin1');
    if (revision < newest) throw new Error(`${key}: revision ${revision} after ${newest}`);
    newest = revision;
    const known = picture.get(key);
    if (type === 'DELETE') {
      if (known === undefined) throw new Error(`${key} deleted at ${revision} without having been there`);
      picture.delete(key);
    } else {
      const version = Number(known?.split(' ').at(-1) ?? 0);
      const born = kv.create_revision === kv.mod_revision;
      if (Number(kv.version) !== (born ? 1 : version + 1)) {
        throw new Error(`${key}: version ${kv.version} at ${revision}, ${version} known`);
      }
      picture.set(key, show(kv));
    }
  }
  return newest;
}

/** What two pictures differ in, or nothing. */
export function difference(a: Picture, b: Picture): string[] {
  const keys = new Set([...a.keys(), ...b.keys()]);
  return [...keys].filter((key) => a.get(key) !== b.get(key)).map((key) => `${key}: ${a.get(key)} | ${b.get(key)}`);
}
