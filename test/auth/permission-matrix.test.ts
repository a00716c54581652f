import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustHave } from '../support/etcd.ts';
import { Random, seedOf } from '../support/random.ts';
import { AuthPair, type AuthStep } from './auth-pair.ts';

const USERS = ['u0', 'u1', 'u2', 'u3'];
const ROLES = ['r0', 'r1', 'r2'];
const KEYS = ['a', 'a1', 'b', 'b/x', 'b/y', 'c', 'd', 'd\0'];
const ROUNDS = 6;
const REQUESTS = 60;

/** Random users, roles and requests, seeded: who may do what must be the same as with a real etcd 3.5, answers included. */
describe.runIf(mustHave('3.5'))('permissions by chance', { timeout: 240_000 }, () => {
  let pair: AuthPair;
  beforeAll(async () => {
    pair = await AuthPair.start();
  }, 120_000);
  afterAll(() => pair?.stop());

  const random = new Random(seedOf(20_261_126));
  const key = (): Buffer => Buffer.from(random.pick(KEYS), 'latin1');
  const prevKv = (): object => (random.chance(30) ? { prev_kv: true } : {});
  const lease = (): object => (random.chance(25) ? { lease: random.between(1, 3) } : {});
  const put = (): object => ({ key: key(), value: Buffer.from('v'), ...prevKv(), ...lease() });
  const remove = (): object => ({ ...range(), ...prevKv() });
  const compare = (): object => ({ ...range(), target: 'VERSION', result: 'GREATER', version: 0 });

  /** Never one that ends before it begins: see rightDifferences. */
  function range(): object {
    if (random.chance(40)) return { key: key() };
    if (random.chance(20)) return { key: key(), range_end: Buffer.from([0]) };
    const [begin, end] = [key(), key()].sort(Buffer.compare);
    return { key: begin, range_end: end };
  }

  function op(depth: number): object {
    const kind = random.below(depth > 0 ? 4 : 3);
    if (kind === 0) return { request_range: range() };
    if (kind === 1) return { request_put: put() };
    if (kind === 2) return { request_delete_range: remove() };
    return { request_txn: txn(depth - 1) };
  }

  function some<T>(max: number, one: () => T): T[] {
    return Array.from({ length: random.below(max + 1) }, one);
  }

  function txn(depth = 2): object {
    return { compare: some(2, compare), success: some(2, () => op(depth)), failure: some(2, () => op(depth)) };
  }

  function request(): AuthStep {
    const as = random.pick([...USERS, 'root', '']) || undefined;
    switch (random.below(9)) {
      case 0:
      case 1:
        return ['KV/Range', range(), as];
      case 2:
      case 3:
        return ['KV/Put', put(), as];
      case 4:
        return ['KV/DeleteRange', remove(), as];
      case 5:
        return ['Lease/LeaseTimeToLive', { ID: random.between(1, 3), keys: random.chance(70) }, as];
      case 6:
        return random.chance(20)
          ? ['Lease/LeaseRevoke', { ID: random.between(1, 3) }, as]
          : ['Lease/LeaseLeases', {}, as];
      default:
        return ['KV/Txn', txn(), as];
    }
  }

  function change(): AuthStep {
    const role = random.pick(ROLES);
    switch (random.below(6)) {
      case 0:
        return ['Auth/UserRevokeRole', { name: random.pick(USERS), role }, 'root'];
      case 1:
      case 2:
        return ['Auth/UserGrantRole', { user: random.pick(USERS), role }, 'root'];
      case 3:
        return ['Auth/RoleRevokePermission', { role, ...range() }, 'root'];
      default:
        return ['Auth/RoleGrantPermission', { name: role, perm: permission() }, 'root'];
    }
  }

  function permission(): object {
    return { permType: random.pick(['READ', 'WRITE', 'READWRITE']), ...range() };
  }

  it(`seed ${random.seed}`, async () => {
    const setUp: AuthStep[] = [
      ...['root', ...USERS].map((name): AuthStep => ['Auth/UserAdd', { name, password: name }]),
      ...ROLES.map((name): AuthStep => ['Auth/RoleAdd', { name }]),
      ['Auth/UserGrantRole', { user: 'root', role: 'root' }],
      ['Auth/AuthEnable', {}],
      ...['root', ...USERS].map((name): AuthStep => ['Auth/Authenticate', { name, password: name }]),
    ];
    const steps = [...setUp];
    for (let round = 0; round < ROUNDS; round += 1) {
      for (let id = 1; id <= 3; id += 1) steps.push(['Lease/LeaseGrant', { ID: id, TTL: 600 }, 'root']);
      for (let i = 0; i < 8; i += 1) steps.push(change());
      for (let i = 0; i < REQUESTS; i += 1) steps.push(request());
    }
    const { etcd, kedge } = await pair.run(steps);
    for (const [i, told] of kedge.entries()) expect(told).toEqual(etcd[i]);
    // Both ways of going must have been seen often.
    const told = kedge.slice(setUp.length);
    expect(told.filter((each) => each.includes('permission denied')).length).toBeGreaterThan(40);
    expect(told.filter((each) => /^u\d: .*→ \{/.test(each)).length).toBeGreaterThan(40);
  });
});
