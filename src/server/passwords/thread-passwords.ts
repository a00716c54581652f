import { Worker } from 'node:worker_threads';
import type { Passwords } from '../../etcd/auth/passwords.ts';
import { Status, StatusError } from '../../wire/grpc.ts';
import type { PasswordAnswer, PasswordQuestion } from './protocol.ts';

/** Questions that wait for the thread: at the usual cost some ten seconds of work. */
const WAITING_MAX = 128;

interface Waiting {
  resolve(answer: PasswordAnswer['answer']): void;
  reject(error: Error): void;
}

/** bcrypt on a thread of its own, which is started when it is first needed and again should it ever end. */
export class ThreadPasswords implements Passwords {
  readonly #cost: number;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #nextId = 1;

  /** `cost`: bcrypt's, 4 to 31. */
  constructor(cost: number) {
    this.#cost = cost;
  }

  async hash(password: string): Promise<Uint8Array> {
    const hash = await this.#ask({ id: this.#nextId++, kind: 'hash', password, cost: this.#cost });
    if (typeof hash !== 'string') throw new Error('bcrypt could not hash a password');
    return new Uint8Array(Buffer.from(hash));
  }

  async matches(password: string, hash: Uint8Array): Promise<boolean> {
    const text = Buffer.from(hash).toString('latin1');
    return (await this.#ask({ id: this.#nextId++, kind: 'matches', password, hash: text })) === true;
  }

  /** Whoever waits is refused. */
  async stop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
    this.#fail(new StatusError(Status.unavailable, 'etcdserver: server stopped'));
  }

  #ask(question: PasswordQuestion): Promise<PasswordAnswer['answer']> {
    if (this.#waiting.size >= WAITING_MAX)
      return Promise.reject(
        new StatusError(Status.resourceExhausted, 'kedge: too many logins at a time; try again later'),
      );
    return new Promise((resolve, reject) => {
      this.#waiting.set(question.id, { resolve, reject });
      this.#worker ??= this.#start();
      this.#worker.postMessage(question);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL('./password-thread.js', import.meta.url), { name: 'kedge-passwords' });
    worker.unref();
    worker.on('message', ({ id, answer }: PasswordAnswer) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      waiting?.resolve(answer);
    });
    const onEnd = (): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#fail(new StatusError(Status.unavailable, 'kedge: the thread that hashes passwords has ended; try again'));
    };
    worker.on('error', onEnd);
    worker.on('exit', onEnd);
    return worker;
  }

  #fail(error: Error): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
  }
}
