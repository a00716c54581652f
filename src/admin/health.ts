import { Counter } from '../base/metrics.ts';
import type { StoreApi } from '../mvcc/api.ts';
import type { DatabaseHealth } from '../mvcc/log.ts';
import { StoreError } from '../mvcc/requests.ts';
import type { AlarmKind } from '../mvcc/types.ts';
import type { HttpRequest, HttpResponse } from '../wire/http.ts';
import { notFound, plainText } from './http-answers.ts';

/**
 * /health, /livez and /readyz as etcd answers them (server/etcdserver/api/etcdhttp/health.go of 3.5 to 3.7): bodies,
 * status codes, `exclude`, `verbose` and one path per check.
 */
type CheckName = 'data_corruption' | 'serializable_read' | 'linearizable_read' | 'non_learner' | 'database';

const CHECKS: Readonly<Record<'livez' | 'readyz', readonly CheckName[]>> = {
  livez: ['serializable_read'],
  readyz: ['data_corruption', 'serializable_read', 'linearizable_read', 'non_learner'],
};

const ALARM_NAMES: Readonly<Record<AlarmKind, string>> = { nospace: 'NOSPACE', corrupt: 'CORRUPT' };

/** How a shared store's database is: kedge's own check beside etcd's, on /readyz only. */
export interface DatabaseCheck {
  health(): Promise<Pick<DatabaseHealth, 'problem' | 'warnings'>>;
}

/** What was found, for /metrics. */
export class HealthStats {
  readonly success = new Counter();
  readonly failures = new Counter();
  /** By endpoint and check: how often it ended so, and (1 or 0) how it last ended. */
  readonly checks = new Map<
    string,
    { readonly type: string; readonly name: string; ok: number; failed: number; last: number }
  >();

  constructor() {
    for (const [type, names] of Object.entries(CHECKS)) {
      for (const name of names) this.checks.set(`${type}/${name}`, { type, name, ok: 0, failed: 0, last: 0 });
    }
  }

  record(type: string, name: string, ok: boolean): void {
    const cell = this.checks.get(`${type}/${name}`);
    if (cell === undefined) return;
    if (ok) cell.ok += 1;
    else cell.failed += 1;
    cell.last = ok ? 1 : 0;
  }
}

export class Health {
  readonly stats = new HealthStats();
  readonly #store: Pick<StoreApi, 'alarms' | 'range'>;
  readonly #database: DatabaseCheck | undefined;

  constructor(store: Pick<StoreApi, 'alarms' | 'range'>, database?: DatabaseCheck) {
    this.#store = store;
    this.#database = database;
  }

  /** GET /health */
  async health(request: HttpRequest): Promise<HttpResponse> {
    const excluded = excludedNames(request);
    const reason =
      this.#alarmReason(excluded) ?? (await this.#readReason(request.query.get('serializable') === 'true'));
    if (reason === undefined) this.stats.success.value += 1;
    else this.stats.failures.value += 1;
    const body = JSON.stringify({ health: reason === undefined ? 'true' : 'false', reason: reason ?? '' });
    // net/http's Error() ends its text with a newline and sets nosniff; a plain Write does neither.
    if (reason !== undefined) return plainText(503, `${body}\n`);
    return { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body };
  }

  /** GET /livez, /readyz and one path per check below them. */
  async checks(type: 'livez' | 'readyz', check: string | undefined, request: HttpRequest): Promise<HttpResponse> {
    const known = this.#checksOf(type);
    const excluded = check === undefined ? excludedNames(request) : new Set<string>();
    const names =
      check === undefined ? known.filter((name) => !excluded.has(name)) : known.filter((name) => name === check);
    if (check !== undefined && names.length === 0) return notFound();
    let report = '';
    let failed = false;
    for (const name of names) {
      const problem = await this.#run(name);
      this.stats.record(type, name, problem === undefined);
      report += problem === undefined ? `[+]${name} ok\n` : `[-]${name} failed: ${problem}\n`;
      if (name === 'database') report += await this.#warnings();
      failed ||= problem !== undefined;
    }
    if (failed) return plainText(503, `${report}\n`);
    return plainText(200, request.query.has('verbose') ? `${report}ok\n` : 'ok\n');
  }

  async #warnings(): Promise<string> {
    const health = await this.#database?.health();
    return (health?.warnings ?? []).map((warning) => `    warning: ${warning}\n`).join('');
  }

  #checksOf(type: 'livez' | 'readyz'): readonly CheckName[] {
    return type === 'readyz' && this.#database !== undefined ? [...CHECKS[type], 'database'] : CHECKS[type];
  }

  #alarmReason(excluded: ReadonlySet<string>): string | undefined {
    const alarm = this.#store.alarms().find((kind) => !excluded.has(ALARM_NAMES[kind]));
    return alarm === undefined ? undefined : `ALARM ${ALARM_NAMES[alarm]}`;
  }

  async #readReason(serializable: boolean): Promise<string | undefined> {
    const problem = await this.#read(serializable);
    return problem === undefined ? undefined : `RANGE ERROR:${problem}`;
  }

  async #run(name: CheckName): Promise<string | undefined> {
    switch (name) {
      case 'data_corruption':
        return this.#store.alarms().includes('corrupt') ? 'alarm activated: CORRUPT' : undefined;
      case 'serializable_read':
        return await this.#read(true);
      case 'linearizable_read':
        return await this.#read(false);
      case 'non_learner':
        return undefined;
      case 'database':
        return (await this.#database?.health())?.problem;
    }
  }

  /** What a read of one key says; undefined when it works. */
  async #read(serializable: boolean): Promise<string | undefined> {
    try {
      await this.#store.range({
        key: '\0',
        end: '\0',
        revision: 0,
        limit: 1,
        order: 'none',
        target: 'key',
        keysOnly: true,
        countOnly: false,
        minModRevision: 0,
        maxModRevision: 0,
        minCreateRevision: 0,
        maxCreateRevision: 0,
        serializable,
      });
      return undefined;
    } catch (error) {
      if (error instanceof StoreError) return error.message;
      throw error;
    }
  }
}

function excludedNames(request: HttpRequest): Set<string> {
  return new Set(request.query.getAll('exclude').filter((name) => name !== ''));
}
