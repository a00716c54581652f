import { describe, expect, it } from 'vitest';
import { dutyOwners, eligibleMembers } from './duty-owner.ts';
import type { LinkedMember } from './types.ts';

const DUTY_NAMES = Array.from({ length: 20 }, (_, i) => `duty-${i}`);
const ids = (count: number): string[] => Array.from({ length: count }, (_, i) => i.toString(16).padStart(64, '0'));

function member(id: string, what: Partial<LinkedMember> = {}): LinkedMember {
  return { id, ability: { isAble: true, reason: '' }, hasSameStore: true, sitsOut: false, ...what } as LinkedMember;
}

describe('who owns a duty', () => {
  it('is the same for all that see the same, whatever the order', () => {
    const owners = dutyOwners(DUTY_NAMES, ids(7));
    expect([...owners.keys()]).toEqual(DUTY_NAMES);
    expect(dutyOwners(DUTY_NAMES, ids(7).reverse())).toEqual(owners);
  });

  it('changes for the duties of the one that goes, and for no other', () => {
    for (let gone = 0; gone < 9; gone++) {
      const before = dutyOwners(DUTY_NAMES, ids(9));
      const left = ids(9).filter((_, i) => i !== gone);
      const after = dutyOwners(DUTY_NAMES, left);
      for (const [duty, owner] of before) {
        if (owner === ids(9)[gone]) expect(left).toContain(after.get(duty));
        else expect(after.get(duty)).toBe(owner);
      }
    }
  });

  it('is spread: of a thousand names each of four members has its share', () => {
    const names = Array.from({ length: 1000 }, (_, i) => `duty-${i}`);
    const counts = new Map<string, number>();
    for (const owner of dutyOwners(names, ids(4)).values()) counts.set(owner, (counts.get(owner) ?? 0) + 1);
    expect(counts.size).toBe(4);
    for (const count of counts.values()) expect(Math.abs(count - 250)).toBeLessThan(75);
  });

  it('is nobody when nobody is able', () => {
    expect(dutyOwners(DUTY_NAMES, []).size).toBe(0);
  });
});

it('those may have duties that are able, of the same store and steady, and oneself if able', () => {
  const [a = '', b = '', c = '', d = '', self = ''] = ids(5);
  const members = [
    member(a),
    member(b, { ability: { isAble: false, reason: 'draining' } }),
    member(c, { hasSameStore: false }),
    member(d, { sitsOut: true }),
  ];
  expect(eligibleMembers({ id: self, ability: { isAble: true, reason: '' } }, members)).toEqual([a, self]);
  expect(eligibleMembers({ id: self, ability: { isAble: false, reason: 'x' } }, members)).toEqual([a]);
});
