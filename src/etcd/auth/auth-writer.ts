import type { RecordsRequest } from '../../mvcc/requests.ts';
import { refusal } from '../errors.ts';
import type { AuthChange, Decision } from './auth-changes.ts';
import { STATE_RECORD, stateRecord } from './auth-records.ts';
import type { AuthView } from './auth-view.ts';

/** Where changes of auth go: all or none, provided that the state's record is as expected. */
export interface RecordWriter {
  writeRecords(request: RecordsRequest): Promise<boolean>;
}

/**
 * Makes changes of auth, one after the other over all replicas: each rewrites the state's record, and is decided anew
 * when another one was first.
 */
export class AuthWriter {
  readonly #view: AuthView;
  readonly #store: RecordWriter;

  constructor(view: AuthView, store: RecordWriter) {
    this.#view = view;
    this.#store = store;
  }

  /** `mayChange` throws when the caller may not; asked again each time. */
  async change(mayChange: () => void, decide: Decision): Promise<void> {
    for (let i = 0; i < ATTEMPTS_MAX; i += 1) {
      mayChange();
      const change = decide(this.#view);
      if (change === undefined || (await this.#write(change))) return;
    }
    throw refusal('tooManyRequests');
  }

  #write({ records, enabled }: AuthChange): Promise<boolean> {
    const { state, stateValue } = this.#view;
    // Switching on is the one change that leaves the revision as it is.
    const revision = enabled === true ? state.revision : state.revision + 1;
    const { name, value } = stateRecord({ enabled: enabled ?? state.enabled, revision });
    return this.#store.writeRecords({
      kind: 'records',
      // The state last: it is what listeners wait for.
      changes: [...records, { kind: 'record', name, value }],
      guard: { name: STATE_RECORD, value: stateValue },
    });
  }
}

/** Each failure is another's success. */
const ATTEMPTS_MAX = 100;
