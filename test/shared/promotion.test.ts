import { afterEach, describe, expect, it } from 'vitest';
import { showEvent } from '../crash/journal.ts';
import { EtcdClient } from '../support/client.ts';
import type { Event } from '../support/messages.ts';
import { Random, seedOf } from '../support/random.ts';
import { pause } from './database.ts';
import { Fleet, peerArgs } from './fleet.ts';
import { type Call, checkHistory, type Leap } from './history.ts';
import { Load } from './load.ts';
import { Recorder } from './recorder.ts';
import { Reflector } from './reflector.ts';
import { CLIENTS, goesOn, kedgeCheck, Run, showUnanswered } from './run.ts';
import { PAIRS, type StandbyPair } from './standby-pair.ts';

/*
 * Three kedges on a primary and its standby, both named in the URL. The primary is killed under load, the standby takes
 * its place. A synchronous one has everything: not one answered call may be gone, no watch may notice. An asynchronous
 * one lacks the last commits: that must be said aloud, every watch must be told to list anew, those that come later too,
 * and what comes after must be one history with what the standby had.
 */
const seed = seedOf(23);

/** How the history went that the standby went on with. */
interface Past {
  /** What it had. */
  readonly before: readonly Event[];
  readonly leap: Leap;
  readonly promotedMs: number;
}

async function expectCompacted(endpoint: string, from: number, compactRevision: number): Promise<void> {
  const client = new EtcdClient(endpoint);
  const stream = client.stream('Watch/Watch');
  stream.send({ create_request: { key: Buffer.from([0]), range_end: Buffer.from([0]), start_revision: from } });
  expect(await stream.take()).toMatchObject({ created: true });
  expect(await stream.take()).toMatchObject({ canceled: true, compact_revision: String(compactRevision) });
  client.close();
}

for (const { name, isThere, start } of PAIRS) {
  describe.skipIf(!isThere)(`three replicas on ${name}, whose standby is promoted`, () => {
    const closing: (() => Promise<void>)[] = [];
    afterEach(async () => {
      for (const close of closing.splice(0).reverse()) await close();
    });

    async function stage(isSynchronous: boolean): Promise<{ readonly pair: StandbyPair; readonly fleet: Fleet }> {
      const pair = await start(isSynchronous);
      closing.push(() => pair.dispose());
      const fleet = await Fleet.start(
        [pair, pair, pair].map(({ url }, i) => ({ url, args: i < 2 ? peerArgs(i) : [] })),
      );
      closing.push(() => fleet.stop());
      return { pair, fleet };
    }

    it('lose nothing by a synchronous one', async () => {
      const { pair, fleet } = await stage(true);
      const run = new Run(fleet);
      const load = await run.through(new Random(seed), async () => {
        await pause(2_000);
        await pair.killPrimary();
        await pause(500);
        await pair.promote();
      });
      console.log(`${name}, synchronous: ${load.calls.length} calls, unanswered: ${showUnanswered(load)}`);
      for (const i of fleet.endpoints.keys()) expect(await fleet.metric(i, 'kedge_store_reloads_total')).toBe(0);
      expect(await kedgeCheck(fleet.endpoints)).toContain('all replicas hold the same');
    }, 240_000);

    it('say what an asynchronous one has lost, list anew, and go on as one', async () => {
      const { pair, fleet } = await stage(false);
      const load = new Load(fleet.endpoints, new Random(seed));
      const running = load.run(CLIENTS);
      await goesOn(load);
      const reflectors = await Promise.all(fleet.endpoints.map((endpoint) => Reflector.start(endpoint)));
      const recorder = new Recorder(fleet.endpoints[0] ?? '');
      await pair.deafen();
      await goesOn(load);
      await pair.killPrimary();
      // What was answered has arrived by then.
      await pause(1_000);
      const kept = await pair.standbyRevision();
      const seen = reflectors.map(({ revision }) => revision);
      const promotedMs = performance.now();
      await pair.promote();
      const takenMs = performance.now();
      await fleet.healthy();
      const backSeconds = ((performance.now() - takenMs) / 1000).toFixed(1);
      console.log(`${name}, asynchronous: all replicas answer ${backSeconds} s after the standby took over`);
      await goesOn(load);
      load.stop();
      await running;
      await fleet.quiet();

      // Each had applied what is lost, and has said so.
      for (const i of fleet.endpoints.keys()) {
        expect(seen[i], 'the replica had seen more').toBeGreaterThan(kept);
        expect(fleet.replica(i).output).toContain('the database has lost commits that were applied here');
        expect(await fleet.metric(i, 'kedge_store_reloads_total')).toBeGreaterThan(0);
        expect(reflectors[i]?.relists, 'the watch had to list anew').toBe(1);
        expect(await reflectors[i]?.finish()).toEqual([]);
      }
      // Beyond everything that was seen, and nobody goes on from there.
      const leap = { from: kept, to: await recorder.canceled };
      expect(leap.to).toBeGreaterThan(Math.max(...seen));
      for (const endpoint of fleet.endpoints) await expectCompacted(endpoint, Math.max(...seen) + 1, leap.to);
      const before = recorder.events.filter(({ kv }) => Number(kv?.mod_revision) <= kept);
      const past = { before, leap, promotedMs };
      await expectOneHistory(fleet, load, past);

      const { revive } = pair;
      if (revive === undefined) return;
      // The old primary comes back with what only it has. Nobody goes to it, not even who starts now.
      await revive();
      await fleet.killReplica(1);
      await fleet.startReplica(1);
      const later = new Load(fleet.endpoints, new Random(seed + 1), load);
      const writing = later.run(CLIENTS);
      await goesOn(later);
      later.stop();
      await writing;
      await fleet.quiet();
      await expectOneHistory(fleet, [...load.calls, ...later.calls], past);
    }, 240_000);

    /** All calls are explained by one log, but for those that were answered with what is lost. */
    async function expectOneHistory(fleet: Fleet, from: Load | readonly Call[], past: Past): Promise<void> {
      const { before, leap, promotedMs } = past;
      const logs = await Promise.all(fleet.endpoints.map((_, i) => fleet.events(i, leap.to)));
      const [after = []] = logs;
      for (const other of logs) expect(other.map(showEvent)).toEqual(after.map(showEvent));
      const log = [...before, ...after];
      const calls = from instanceof Load ? from.calls : from;
      const isLost = ({ answer, endedMs }: Call): boolean =>
        answer !== undefined && answer.revision > leap.from && endedMs < promotedMs;
      const lost = calls.filter(isLost);
      console.log(`${name}, asynchronous: ${calls.length} calls, ${lost.length} answered with what is lost`);
      expect(lost.length, 'something was lost').toBeGreaterThan(0);
      checkHistory(
        calls.filter((call) => !isLost(call)),
        log,
        leap,
      );
      const values = new Set(log.map(({ kv }) => kv?.value.toString('latin1')));
      const back = lost.filter(({ what, answer }) => what.kind === 'put' || (what.kind === 'cas' && answer?.done));
      expect(back.filter(({ what }) => 'value' in what && values.has(what.value))).toEqual([]);
      expect(new Set(await fleet.hashes()).size, 'replicas hash to the same').toBe(1);
      expect(await kedgeCheck(fleet.endpoints)).toContain('all replicas hold the same');
    }
  });
}
