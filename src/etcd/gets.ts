import type { StoreApi } from '../mvcc/api.ts';
import type { RangeRequest } from '../mvcc/requests.ts';
import type { UnaryCall } from '../wire/grpc.ts';

/**
 * Gets that come in one read, some at a time: the store hears of all before the first is answered, so that it waits for
 * memory once instead of for each.
 */
export class Gets {
  readonly #store: Pick<StoreApi, 'expect'>;
  readonly #answer: (request: RangeRequest, call: UnaryCall) => void;
  readonly #requests: RangeRequest[] = [];
  readonly #calls: (UnaryCall | undefined)[] = [];
  #count = 0;

  /** `answer` must not throw. */
  constructor(store: Pick<StoreApi, 'expect'>, answer: (request: RangeRequest, call: UnaryCall) => void) {
    this.#store = store;
    this.#answer = answer;
  }

  add(request: RangeRequest, call: UnaryCall): void {
    this.#requests[this.#count] = request;
    this.#calls[this.#count] = call;
    this.#count += 1;
    if (this.#count === 1) call.atReadEnd(this.#answerAll);
    else if (this.#count === TOGETHER_MAX) this.#answerAll();
  }

  readonly #answerAll = (): void => {
    const count = this.#count;
    this.#count = 0;
    if (count > 1) this.#store.expect(this.#requests, count);
    for (let i = 0; i < count; i += 1) {
      const request = this.#requests[i];
      const call = this.#calls[i];
      this.#calls[i] = undefined;
      if (request !== undefined && call !== undefined) this.#answer(request, call);
    }
  };
}

/** More than a processor fetches from memory side by side. */
const TOGETHER_MAX = 16;
