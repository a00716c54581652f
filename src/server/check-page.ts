import { Reader, tagOf, WireType } from '../base/protobuf.ts';
import { Crc32c } from '../mvcc/crc32c.ts';
import type { ReloadingStore } from '../mvcc/reloading-store.ts';
import { type KeyValueBytes, StoreError } from '../mvcc/requests.ts';
import type { Revision } from '../mvcc/types.ts';
import type { HttpHandler, HttpRequest, HttpResponse } from '../wire/http.ts';
import type { StoreChecks } from './store-checks.ts';

/**
 * What `kedge check` asks of a replica:
 *
 *     POST /check[?revision=n]                   begins a check unless one runs; answers as GET
 *     GET  /check[?wait]                         CheckState; with wait when it is done, or in a moment
 *     GET  /check/keys?revision=n[&after=hex]    up to KEYS_PER_PAGE keys in order: [key in hex, mod revision, CRC-32C of
 *                                                the KeyValue message], to find out where two replicas differ
 */
export function checkPage(checks: StoreChecks, store: ReloadingStore): HttpHandler {
  return async (request) => {
    if (request.path === '/check') {
      if (request.method === 'GET') {
        if (request.query.has('wait')) await checks.moment();
        return answer(200, checks.state);
      }
      if (request.method === 'POST') return answer(202, checks.begin(revisionOf(request)));
      return answer(405, { error: 'only GET and POST' });
    }
    if (request.path !== '/check/keys') return answer(404, { error: 'no such page' });
    if (request.method !== 'GET') return answer(405, { error: 'only GET' });
    return keys(request, store);
  };
}

export const KEYS_PER_PAGE = 2000;

/** key in hex, mod revision, CRC-32C of the message */
export type KeyLine = readonly [string, number, number];

async function keys(request: HttpRequest, store: ReloadingStore): Promise<HttpResponse> {
  const after = request.query.get('after') ?? '';
  if (!/^([0-9a-f]{2})*$/.test(after)) return answer(400, { error: 'after: not a key in hex' });
  const key = `${Buffer.from(after, 'hex').toString('latin1')}\0`;
  try {
    const { kvs, more } = await store.range({
      ...{ key, end: '\0', revision: revisionOf(request), limit: KEYS_PER_PAGE, order: 'none', target: 'key' },
      ...{ keysOnly: false, countOnly: false, minModRevision: 0, maxModRevision: 0 },
      ...{ minCreateRevision: 0, maxCreateRevision: 0, serializable: false },
    });
    return answer(200, { keys: kvs.map(lineOf), more });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return answer(error.code === 'compacted' || error.code === 'future-revision' ? 410 : 503, { error: error.message });
  }
}

function lineOf(kv: KeyValueBytes): KeyLine {
  const reader = new Reader(kv);
  let key = '';
  let modRevision = 0;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === KEY) key = Buffer.from(reader.latin1(), 'latin1').toString('hex');
    else if (tag === MOD_REVISION) modRevision = reader.int64();
    else reader.skip(tag);
  }
  const crc = new Crc32c();
  crc.update(kv);
  return [key, modRevision, crc.value];
}

/** Tags of mvccpb.KeyValue. */
const KEY = tagOf(1, WireType.bytes);
const MOD_REVISION = tagOf(3, WireType.varint);

function revisionOf({ query }: HttpRequest): Revision {
  const revision = Number(query.get('revision') ?? 0);
  return Number.isSafeInteger(revision) && revision > 0 ? revision : 0;
}

function answer(status: number, body: object): HttpResponse {
  const headers = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  };
  return { status, headers, body: `${JSON.stringify(body)}\n` };
}
