import { describe, expect, test } from 'vitest';
import { type EtcdVersion, mustHave, startEtcd } from '../support/etcd.ts';
import { startKedge } from '../support/kedge.ts';
import { freePort } from '../support/ports.ts';
import { Random, seedOf } from '../support/random.ts';
import { Generator } from './generator.ts';
import { replay, runStep, shrink } from './history.ts';
import { Side } from './side.ts';
import { type Step, showStep } from './step.ts';

/**
 * kedge and a real etcd, side by side through long random histories: every answer, every error, every watch event, and
 * the hash over everything must be the same. KEDGE_SEED repeats one history, KEDGE_STEPS makes them longer.
 */
const SHRINK_TRIES_MAX = 80;
const stepCount = Number(process.env['KEDGE_STEPS'] ?? 1000);

function kedge(): Side {
  return new Side('kedge', (dataDir) => startKedge({ dataDir }), true);
}

async function etcd(version: EtcdVersion): Promise<Side> {
  const port = await freePort();
  return new Side(`etcd ${version}`, (dataDir) => startEtcd(version, { dataDir, port }), version !== '3.4');
}

async function pair(version: EtcdVersion): Promise<readonly [Side, Side]> {
  const left = process.env['KEDGE_PARITY_SELF'] === undefined ? kedge() : await etcd(version);
  const right = await etcd(version);
  await Promise.all([left.open(), right.open()]);
  return [left, right];
}

async function wander(version: EtcdVersion, seed: number): Promise<void> {
  console.log(`parity with etcd ${version}: seed ${seed}, ${stepCount} steps`);
  const generator = new Generator(new Random(seed), version);
  const done: Step[] = [];
  const [left, right] = await pair(version);
  const perform = async (step: Step) => {
    done.push(step);
    await runStep(step, left, right);
  };
  try {
    while (done.length < stepCount) {
      const known = await right.client.call('Maintenance/HashKV', {});
      const knowledge = {
        revision: Number(known.header?.revision ?? 1),
        compacted: Math.max(0, Number(known.compact_revision)),
      };
      for (const step of generator.next(knowledge)) await perform(step);
    }
    await perform({ kind: 'settle' });
    await perform({ kind: 'call', method: 'Maintenance/HashKV', request: {} });
    await perform({
      kind: 'call',
      method: 'KV/Range',
      request: { key: Buffer.from([0]), range_end: Buffer.from([0]) },
    });
  } catch (error) {
    await Promise.all([left.close(), right.close()]);
    const short = await shrink(done, () => pair(version), SHRINK_TRIES_MAX);
    const last = await replay(short, () => pair(version));
    const steps = short.map(showStep).join('\n');
    throw new Error(`seed ${seed}, step ${done.length}: ${String(error)}\n\nshortest history:\n${steps}\n${last}`);
  } finally {
    await Promise.all([left.close(), right.close()]);
  }
}

const bySeed = (count: number) => Array.from({ length: count }, (_, i) => seedOf(1) + i);

describe.runIf(mustHave('3.5'))('parity with etcd 3.5', () => {
  test.each(bySeed(6))('seed %i', async (seed) => expect(await wander('3.5', seed)).toBeUndefined(), 240_000);
});

describe.runIf(mustHave('3.4'))('parity with etcd 3.4', () => {
  test.each(bySeed(2))('seed %i', async (seed) => expect(await wander('3.4', seed)).toBeUndefined(), 240_000);
});
