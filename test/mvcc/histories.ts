import fc from 'fast-check';
import type { Compare, DeleteRequest, PutRequest, RangeRequest, TxnOp, TxnRequest } from '../../src/mvcc/requests.ts';

/**
 * Random histories, in fast-check's words. Keys and values are few, so that everything meets everything. Revisions are
 * numbers relative to the head, made absolute when the step is run.
 */
export type Step =
  | { readonly kind: 'writes'; readonly writes: readonly Write[] }
  | { readonly kind: 'range'; readonly request: RangeRequest }
  | { readonly kind: 'compact'; readonly back: number; readonly physical: boolean }
  | { readonly kind: 'restart' };

export type Write =
  | PutRequest
  | DeleteRequest
  | TxnRequest
  | { readonly kind: 'lease-grant'; readonly id: bigint; readonly ttl: number }
  | { readonly kind: 'lease-revoke'; readonly id: bigint };

const key = fc.constantFrom('a', 'aa', 'ab', 'b', 'b\x00', 'c', 'c\xff', '\xff', '\x00', '\x80');
const end = fc.oneof({ weight: 3, arbitrary: fc.constant('') }, fc.constantFrom('\0', 'b', 'c', '\xff', 'a'));
const value = fc
  .oneof(
    { weight: 5, arbitrary: fc.constantFrom('', 'x', 'y', 'yy') },
    { weight: 1, arbitrary: fc.constant('long '.repeat(60)) },
  )
  .map((text) => Buffer.from(text, 'latin1'));
const leaseId = fc.constantFrom(7n, -1n, 2n ** 63n - 1n);
const rarely = fc.integer({ min: 0, max: 5 }).map((n) => n === 0);

const put: fc.Arbitrary<PutRequest> = fc.record({
  kind: fc.constant('put' as const),
  key,
  value,
  lease: fc.oneof({ weight: 4, arbitrary: fc.constant(0n) }, leaseId),
  prevKv: fc.boolean(),
  ignoreValue: rarely,
  ignoreLease: rarely,
});

const remove: fc.Arbitrary<DeleteRequest> = fc.record({
  kind: fc.constant('delete' as const),
  key,
  end,
  prevKv: fc.boolean(),
});

const bound = fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 30 }));

/** Up to 0: the newest, as `revision` 0 or below; above: so many revisions back, which may be out of reach. */
export const REVISION_OFFSET = 1000;

export const range: fc.Arbitrary<{ readonly kind: 'range' } & RangeRequest> = fc.record({
  kind: fc.constant('range' as const),
  key,
  end,
  revision: fc.oneof(
    { weight: 2, arbitrary: fc.constant(0) },
    fc.integer({ min: -2, max: 12 }).map((back) => REVISION_OFFSET + back),
  ),
  limit: fc.constantFrom(0, 0, 1, 2, 3),
  order: fc.constantFrom('none' as const, 'ascend' as const, 'descend' as const),
  target: fc.constantFrom(
    'key' as const,
    'key' as const,
    'version' as const,
    'create' as const,
    'mod' as const,
    'value' as const,
  ),
  keysOnly: rarely,
  countOnly: rarely,
  minModRevision: bound,
  maxModRevision: bound,
  minCreateRevision: bound,
  maxCreateRevision: bound,
  serializable: fc.boolean(),
});

const compare: fc.Arbitrary<Compare> = fc.record({
  key,
  end,
  result: fc.constantFrom('equal' as const, 'not-equal' as const, 'greater' as const, 'less' as const),
  target: fc.oneof(
    fc.record({
      kind: fc.constantFrom('version' as const, 'create' as const, 'mod' as const),
      number: fc.integer({ min: -1, max: 12 }),
    }),
    fc.record({ kind: fc.constant('lease' as const), lease: fc.oneof(fc.constant(0n), leaseId) }),
    fc.record({ kind: fc.constant('value' as const), value }),
  ),
});

const op = (depth: number): fc.Arbitrary<TxnOp> =>
  depth === 0 ? fc.oneof(put, remove, range) : fc.oneof({ weight: 6, arbitrary: op(0) }, txn(depth - 1));

const txn = (depth: number): fc.Arbitrary<TxnRequest> =>
  fc
    .record({
      kind: fc.constant('txn' as const),
      compare: fc.array(compare, { maxLength: 2 }),
      success: fc.array(op(depth), { maxLength: 4 }),
      failure: fc.array(op(depth), { maxLength: 3 }),
    })
    // etcd's front door refuses a key that is put twice, or put and deleted.
    .map((request) => ({ ...request, success: onceOnly(request.success), failure: onceOnly(request.failure) }));

/** Leaves of the branches only the first write that touches a key. Coarse, and enough. */
function onceOnly(ops: readonly TxnOp[]): TxnOp[] {
  const seen = new Set<string>();
  let everything = false;
  return ops.filter((one) => {
    if (one.kind === 'range') return true;
    if (one.kind === 'put') {
      const fresh = !everything && !seen.has(one.key);
      seen.add(one.key);
      return fresh;
    }
    const fresh = !everything && seen.size === 0;
    everything = true;
    return fresh;
  });
}

export const write: fc.Arbitrary<Write> = fc.oneof(
  { weight: 8, arbitrary: put },
  { weight: 3, arbitrary: remove },
  { weight: 6, arbitrary: txn(2) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('lease-grant' as const), id: leaseId, ttl: fc.constant(60) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lease-revoke' as const), id: leaseId }) },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('writes' as const),
      writes: fc.array(write, { minLength: 1, maxLength: 8 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('range' as const), request: range }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('compact' as const),
      back: fc.integer({ min: -1, max: 6 }),
      physical: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
);

export const history = fc.array(step, { minLength: 5, maxLength: 40 });

/** The step with revisions made absolute. */
export function absolute<T extends { readonly kind: string }>(request: T, head: number): T {
  if (request.kind === 'range') {
    const { revision } = request as unknown as RangeRequest;
    return revision === 0 ? request : { ...request, revision: Math.max(head - (revision - REVISION_OFFSET), -1) };
  }
  if (request.kind !== 'txn') return request;
  const { success, failure } = request as unknown as TxnRequest;
  return {
    ...request,
    success: success.map((one) => absolute(one, head)),
    failure: failure.map((one) => absolute(one, head)),
  };
}
