import { collectDefaultMetrics, Registry } from 'prom-client';
import { Exposition, type Family } from './exposition.ts';

/** What /metrics shows: our cells (read when asked), and prom-client's about the process. */
export class Metrics {
  readonly #families: readonly Family[];
  readonly #refresh: () => Promise<void>;
  readonly #process = new Registry();

  /** `refresh` is awaited before cells are read: for what must be asked for, such as sizes. */
  constructor(families: readonly Family[], refresh: () => Promise<void>) {
    this.#families = families;
    this.#refresh = refresh;
    collectDefaultMetrics({ register: this.#process, eventLoopMonitoringPrecision: 100 });
  }

  async text(): Promise<string> {
    await this.#refresh();
    const exposition = new Exposition();
    for (const family of this.#families) exposition.family(family);
    return exposition.toString() + (await this.#process.metrics());
  }
}
