import { Worker } from 'node:worker_threads';
import { LogError } from '../../mvcc/log.ts';
import type { AnswerMessage, CallMessage, ThreadStart } from './protocol.ts';

interface Pending {
  readonly call: string;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The main thread's end of one thread. Every call is answered or rejected: when the thread dies, whatever was under
 * way and whatever comes later is rejected.
 */
export class ThreadClient<C> {
  readonly #worker: Worker;
  readonly #role: string;
  readonly #bell = new Int32Array(new SharedArrayBuffer(4));
  readonly #pending = new Map<number, Pending>();
  readonly #ended: Promise<void>;
  readonly #tellDeath: (why: LogError) => void;
  #nextId = 1;
  #dead: LogError | undefined;

  /** `onDeath` hears once that nothing more will be answered. */
  constructor(start: Omit<ThreadStart, 'bell'>, onDeath: (why: LogError) => void = () => {}) {
    this.#tellDeath = onDeath;
    this.#role = start.role;
    this.#worker = new Worker(new URL('./thread.js', import.meta.url), {
      workerData: { ...start, bell: this.#bell } satisfies ThreadStart,
      name: `kedge-sqlite-${start.role}`,
    });
    this.#worker.on('message', (message: AnswerMessage) => this.#onAnswer(message));
    this.#worker.on('messageerror', (error: Error) => this.#onDeath(error));
    this.#worker.on('error', (error: Error) => this.#onDeath(error));
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', (code: number) => {
        this.#onDeath(new Error(`exit code ${code}`));
        resolve();
      });
    });
  }

  /** Sends a call. `transfer` is handed over: its buffers are empty here afterwards. */
  call<K extends keyof C & string>(
    call: K,
    argument: C[K] extends [infer A, unknown] ? A : never,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<C[K] extends [unknown, infer R] ? R : never> {
    return this.#send(call, argument, transfer);
  }

  #send<R>(call: string, argument: unknown, transfer: readonly ArrayBuffer[]): Promise<R> {
    return new Promise((resolve, reject) => {
      if (this.#dead !== undefined) {
        reject(this.#dead);
        return;
      }
      const id = this.#nextId++;
      this.#pending.set(id, { call, resolve: resolve as (answer: unknown) => void, reject });
      this.#worker.postMessage({ id, call, argument } satisfies CallMessage, transfer);
      this.ring();
    });
  }

  /** False once the thread has ended. */
  get alive(): boolean {
    return this.#dead === undefined;
  }

  /** Wakes the thread: there is something for it. */
  ring(): void {
    Atomics.add(this.#bell, 0, 1);
    Atomics.notify(this.#bell, 0);
  }

  /** Lets the thread finish its calls and close; ends it by force when it cannot. Waits until it is gone. */
  async end(): Promise<void> {
    try {
      await this.#send('close', undefined, []);
    } catch {
      // It is dead already, or could not close: its connection goes with it.
      await this.#worker.terminate();
    }
    await this.#ended;
  }

  #onAnswer(message: AnswerMessage): void {
    const plain = typeof message === 'number';
    const id = plain ? message : message.id;
    const error = plain ? undefined : message.error;
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    if (error === undefined) pending.resolve(plain ? undefined : message.answer);
    else pending.reject(new LogError(error.code, error.message));
  }

  #onDeath(cause: Error): void {
    const why = `the store's ${this.#role} thread has ended (${cause.message}): restart kedge`;
    this.#dead ??= new LogError('unavailable', why, { cause });
    const lost = [...this.#pending.values()];
    this.#pending.clear();
    for (const { call, reject } of lost) {
      reject(call === 'append' ? new LogError('ambiguous', why, { cause }) : this.#dead);
    }
    this.#tellDeath(this.#dead);
  }
}
