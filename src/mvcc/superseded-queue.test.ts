import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SupersededQueue } from './superseded-queue.ts';

const push = fc.record({ what: fc.constant('push' as const), by: fc.constantFrom(0, 1, 2, 2 ** 31, 2 ** 33) });
const many = fc.record({ what: fc.constant('many' as const), count: fc.nat(9000) });
const shift = fc.record({ what: fc.constant('shift' as const), count: fc.nat(9000) });

test('gives back what went in, in that order', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(push, many, shift), { maxLength: 30 }), (steps) => {
      const queue = new SupersededQueue();
      const model: { revision: number; entry: number }[] = [];
      let revision = 1;
      let entry = 0;
      const add = (): void => {
        entry = (entry + 1) % 2 ** 32;
        queue.push(revision, entry);
        model.push({ revision, entry });
      };
      for (const step of steps) {
        if (step.what === 'push') {
          revision += step.by;
          add();
        } else if (step.what === 'many') {
          for (let i = 0; i < step.count; i += 1) {
            revision += 1;
            add();
          }
        } else {
          const taken = model.splice(0, step.count);
          for (const each of taken) {
            expect(queue.firstRevision).toBe(each.revision);
            expect(queue.shift()).toBe(each.entry);
          }
        }
        expect(queue.size).toBe(model.length);
        expect(queue.firstRevision).toBe(model[0]?.revision ?? Number.POSITIVE_INFINITY);
      }
    }),
    { numRuns: 50 },
  );
});

test('has nothing to give when it is empty', () => {
  expect(() => new SupersededQueue().shift()).toThrow('is empty');
});
