import { headerRevision, type Page, readPage } from '../etcd/answers.ts';
import { keyDigitsAt, readDigits } from '../etcd/keyspace.ts';
import { ListMessage } from '../etcd/messages.ts';
import type { Call, Message } from '../http2/call.ts';
import type { Workload } from '../load/workload.ts';

/** Keys per page: what kube-apiserver and kubectl ask for. */
export const pageKeys = 500;

/**
 * Lists of all keys page by page, each call its own: the first page's header pins the revision for the rest, as in
 * kube-apiserver's continue tokens. Every page is checked for its number of keys, its last key and `more`.
 */
export class ListWorkload implements Workload {
  readonly kind = 'unary';
  readonly #message = new ListMessage(pageKeys);
  readonly #keys: number;
  readonly #page: Page = { keys: 0, more: false, lastKeyAt: 0 };

  /** `keys` keys from number 0 must exist, and no others. */
  constructor(keys: number) {
    this.#keys = keys;
  }

  next(call: Call): Message {
    if (call.key === this.#keys) call.key = 0;
    return this.#message;
  }

  check(call: Call, bytes: Buffer, from: number, to: number): void {
    const page = this.#page;
    readPage(bytes, from, to, page);
    if (call.key === 0) call.revision = headerRevision(bytes, from, to);
    const expectedKeys = Math.min(pageKeys, this.#keys - call.key);
    if (page.keys !== expectedKeys) throw new Error(`a page of ${page.keys} keys instead of ${expectedKeys}`);
    call.key += page.keys;
    const lastKey = readDigits(bytes, page.lastKeyAt + keyDigitsAt);
    if (lastKey !== call.key - 1) throw new Error(`a page that ends with key ${lastKey} instead of ${call.key - 1}`);
    if (page.more !== call.key < this.#keys) throw new Error('a page that is wrong about whether more follows');
  }
}
