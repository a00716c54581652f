import type { Registry } from 'prom-client';
import { Exposition, type Family } from './exposition.ts';

/** What /metrics shows: our cells (read when asked), and prom-client's about the process. */
export class Metrics {
  readonly #families: readonly Family[];
  readonly #refresh: () => Promise<void>;
  #process: Promise<Registry> | undefined;

  /** `refresh` is awaited before cells are read: for what must be asked for, such as sizes. */
  constructor(families: readonly Family[], refresh: () => Promise<void>) {
    this.#families = families;
    this.#refresh = refresh;
  }

  async text(): Promise<string> {
    await this.#refresh();
    const exposition = new Exposition();
    for (const family of this.#families) exposition.family(family);
    return exposition.toString() + (await (await this.#processRegistry()).metrics());
  }

  #processRegistry(): Promise<Registry> {
    this.#process ??= processRegistry().catch((error: unknown) => {
      // As while the program is being replaced on the disk: the next scrape tries again.
      this.#process = undefined;
      throw error;
    });
    return this.#process;
  }
}

/** When somebody asks for the first time: until then it would cost every start a hundred modules and their memory. */
async function processRegistry(): Promise<Registry> {
  const { collectDefaultMetrics, Registry } = await import('prom-client');
  const register = new Registry();
  collectDefaultMetrics({ register, eventLoopMonitoringPrecision: 100 });
  return register;
}
