import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GaleraPair, startGaleraPair } from '../support/galera.ts';
import { hasGalera } from '../support/mariadb.ts';
import { Random, seedOf } from '../support/random.ts';
import { pause } from './database.ts';
import { Fleet } from './fleet.ts';
import { kedgeCheck, Run, showUnanswered } from './run.ts';

/*
 * Whole kedges that write through both nodes of a real Galera cluster at once, which its certification likes least: most
 * appends collide. Once, with several statements in one message, a cluster was seen to hang in certification. Nothing
 * may hang: calls go on being answered to the end, and one history explains them all. KEDGE_GALERA_SECONDS makes it longer.
 */
const seed = seedOf(37);
const loadMs = 1000 * Number(process.env['KEDGE_GALERA_SECONDS'] ?? 5);
/** No answer to anybody for so long is a hang. */
const HANG_MS = 30_000;

describe.skipIf(!hasGalera())('replicas on both nodes of a Galera cluster', () => {
  let pair: GaleraPair;
  let fleet: Fleet | undefined;
  beforeAll(async () => {
    pair = await startGaleraPair();
  }, 240_000);
  afterAll(async () => {
    await fleet?.stop();
    await pair?.dispose();
  }, 60_000);

  it('write at once, keep one order and never hang', { timeout: loadMs * 2 + 240_000 }, async () => {
    const [a, b] = pair.nodes;
    const database = a.freshDatabase();
    fleet = await Fleet.start([a, b, a, b].map((node) => ({ url: node.url(database) })));
    const load = await new Run(fleet).through(new Random(seed), async (running) => {
      const untilMs = performance.now() + loadMs;
      let progressMs = performance.now();
      for (let answered = 0; performance.now() < untilMs; ) {
        await pause(250);
        if (running.answered > answered) progressMs = performance.now();
        answered = running.answered;
        if (performance.now() - progressMs > HANG_MS) throw new Error(`nothing is answered:\n${await states(pair)}`);
      }
    });
    const moved = await Promise.all(
      fleet.endpoints.map((_, i) => fleet?.metric(i, 'kedge_database_appends_moved_total')),
    );
    console.log(
      `Galera: seed ${seed}, ${load.calls.length} calls, appends that lost: ${moved.join(', ')}; unanswered: ${showUnanswered(load)}`,
    );
    expect(Math.max(...moved.map(Number)), 'appends have met').toBeGreaterThan(0);
    expect(await kedgeCheck(fleet.endpoints)).toContain('all replicas hold the same');
  });
});

/** What the sessions of each node are at. */
async function states(pair: GaleraPair): Promise<string> {
  const texts = pair.nodes.map(async (node) => {
    const rows = await node.query(
      "SELECT state, time, left(info, 80) FROM information_schema.processlist WHERE command <> 'Sleep'",
    );
    return rows.map((row) => row.join(' | ')).join('\n');
  });
  return (await Promise.all(texts)).join('\n---\n');
}
