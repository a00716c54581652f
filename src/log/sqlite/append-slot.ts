import type { Clock } from '../../base/clock.ts';
import { InvariantError, invariant } from '../../base/invariant.ts';
import { type AppendBatch, type AppendResult, LogError } from '../../mvcc/log.ts';
import { type ErrorMessage, translate } from './errors.ts';
import { packChanges } from './packed-batch.ts';
import type { PackedAppend } from './protocol.ts';
import { lookFor, type Spin } from './spin.ts';

/*
 * One append at a time goes to the writer thread through shared memory: the rows are packed where the thread reads
 * them, and one word says whose turn it is. A message each way costs some 70 µs more, which a client that writes one
 * thing after the other would feel in every write, and a new buffer, which one that writes much would.
 *
 *   main    pack rows ─▶ turn = asked ─▶ ring the bell            Atomics.waitAsync(turn) ─▶ result
 *   thread                                    append ─▶ turn = committed | moved | failed ─▶ notify
 *
 * In a streak of small appends either end looks for the other for a while before it sleeps (spin.ts), the main thread
 * once in each turn of its event loop, so that everybody else is served meanwhile.
 */

/** What both threads see. */
export interface SharedSlot {
  /** [turn, rows, length of the failure's text, whether the thread is to look for the next append]. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** [expected head, ms that the thread stood still while it looked, all together]. */
  readonly numbers: Float64Array<SharedArrayBuffer>;
  /** The packed rows; after a failure its JSON text. */
  readonly data: SharedArrayBuffer;
}

const TURN = 0;
const ROWS = 1;
const TEXT_BYTES = 2;
const LOOKS = 3;
const EXPECTED_HEAD = 0;
const STILL_MS = 1;

/** Whose turn it is. `asked` is the thread's, all others are the caller's. */
const Turn = { free: 0, asked: 1, committed: 2, moved: 3, failed: 4 } as const;

/**
 * As much as the Writer puts into a batch, about; what is longer goes by message. Memory counts when it is first used
 * and is used again: a buffer of its own for each batch of 4 MiB cost more in page faults than in copying.
 */
const SLOT_BYTES = 9 * 1024 * 1024;

export const COMMITTED: AppendResult = { kind: 'committed' };

/** The caller's end. */
export class AppendSlot {
  readonly shared: SharedSlot = {
    words: new Int32Array(new SharedArrayBuffer(16)),
    numbers: new Float64Array(new SharedArrayBuffer(16)),
    data: new SharedArrayBuffer(SLOT_BYTES),
  };
  readonly #spin: Spin;
  /** Of the thread's, how much the spin knows of. */
  #stillMs = 0;
  /** Ends the wait of the append under way, by its answer; without one (`why`) none will come. */
  #end: ((why?: LogError) => void) | undefined;

  constructor(spin: Spin) {
    this.#spin = spin;
  }

  fits(batch: AppendBatch, bytes: number): boolean {
    return bytes <= SLOT_BYTES && batch.notes.length === 0 && batch.changes.length > 0;
  }

  /** Only while no other append is under way. Rejects with LogError. */
  append(batch: AppendBatch, thread: { ring(): void }): Promise<AppendResult> {
    const { words, numbers, data } = this.shared;
    invariant(Atomics.load(words, TURN) === Turn.free, 'one append at a time goes through the slot');
    packChanges(batch.changes, data);
    words[ROWS] = batch.changes.length;
    numbers[EXPECTED_HEAD] = batch.expected.revision;
    this.#spin.noteAppend(batch.changes.length, this.#newStillMs());
    words[LOOKS] = this.#spin.looks ? 1 : 0;
    Atomics.store(words, TURN, Turn.asked);
    thread.ring();
    return new Promise((resolve, reject) => {
      const end = (why?: LogError): void => {
        // Abandoned before its last waking.
        if (this.#end !== end) return;
        this.#end = undefined;
        if (why !== undefined) {
          reject(why);
          return;
        }
        try {
          resolve(this.#result());
        } catch (error) {
          reject(error);
        }
      };
      this.#end = end;
      const wait = (): void => {
        if (this.#end === end && this.#spin.goesOn && Atomics.load(words, TURN) === Turn.asked) {
          setImmediate(wait);
          return;
        }
        // Looked at again after each waking: the thread's notify for the append before may come when that one's answer
        // has been taken already, and wakes this one.
        const waiting = Atomics.waitAsync(words, TURN, Turn.asked);
        if (waiting.async) void waiting.value.then(wait);
        else end();
      };
      wait();
    });
  }

  /** The thread has ended. What it has not answered may be written or not; its answer may come later than its end. */
  abandon(why: LogError): void {
    if (Atomics.load(this.shared.words, TURN) === Turn.asked)
      this.#end?.(new LogError('ambiguous', why.message, { cause: why }));
    else this.#end?.();
  }

  #newStillMs(): number {
    const before = this.#stillMs;
    this.#stillMs = this.shared.numbers[STILL_MS] as number;
    return this.#stillMs - before;
  }

  #result(): AppendResult {
    const { words, data } = this.shared;
    const turn = Atomics.exchange(words, TURN, Turn.free);
    if (turn === Turn.committed) return COMMITTED;
    if (turn === Turn.moved) return { kind: 'moved' };
    invariant(turn === Turn.failed, `the slot was answered with ${turn}`);
    const { code, message } = JSON.parse(Buffer.from(data, 0, words[TEXT_BYTES]).toString()) as ErrorMessage;
    throw new LogError(code, message);
  }
}

/**
 * The thread's end: does the append that waits in the slot, if one does. Returns whether to look for the next one.
 * Throws InvariantError only.
 */
export function serveSlot(
  { words, numbers, data }: SharedSlot,
  append: (call: PackedAppend) => unknown,
  file: string,
): boolean {
  if (Atomics.load(words, TURN) !== Turn.asked) return false;
  const looks = words[LOOKS] === 1;
  const rows = words[ROWS] as number;
  let turn: number = Turn.committed;
  try {
    const expectedHead = numbers[EXPECTED_HEAD] as number;
    const result = append({ buffer: data, rows, expectedHead, notes: undefined });
    if (result === 'moved') turn = Turn.moved;
  } catch (error) {
    if (error instanceof InvariantError) throw error;
    turn = Turn.failed;
    const { code, message } = translate(error, file);
    words[TEXT_BYTES] = Buffer.from(data).write(JSON.stringify({ code, message } satisfies ErrorMessage));
  }
  Atomics.store(words, TURN, turn);
  Atomics.notify(words, TURN);
  return looks;
}

/** The thread's look for the next append, which rings. */
export function lookForNext({ numbers }: SharedSlot, hasRung: () => boolean, clock: Clock): void {
  const stillMs = lookFor(hasRung, clock);
  if (stillMs > 0) numbers[STILL_MS] = (numbers[STILL_MS] as number) + stillMs;
}
