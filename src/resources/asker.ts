import type { Clock } from '../base/clock.ts';
import { RESOURCE_LIMITS } from './limits.ts';
import { plainText } from './plain-text.ts';
import type { ResourceSource } from './resource-source.ts';

/** A member could not be asked, or not understood. The message is fit to follow its name: `did not answer within 3s`. */
export class AskError extends Error {
  override readonly name = 'AskError';
}

/**
 * Asks members with patience that ends: `askTimeoutMs` for each, and who failed is let alone for `failureMemoryMs`, so
 * that a dead member costs its time once and not at every question.
 */
export class Asker {
  readonly #clock: Clock;
  readonly #failures = new Map<string, { readonly atMs: number; readonly problem: string }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Rejects with AskError. `anew` asks even who failed just now. */
  async ask<T>(
    source: ResourceSource,
    question: (signal: AbortSignal) => Promise<T>,
    { anew }: { readonly anew: boolean },
  ): Promise<T> {
    const failure = this.#failures.get(source.memberId);
    if (!anew && failure !== undefined) {
      const agoMs = this.#clock.monotonicMs() - failure.atMs;
      if (agoMs < RESOURCE_LIMITS.failureMemoryMs) {
        throw new AskError(`${failure.problem} (${Math.round(agoMs / 1000)} s ago; --refresh asks anew)`);
      }
    }
    try {
      const answer = await this.#withTimeout(question);
      this.#failures.delete(source.memberId);
      return answer;
    } catch (error) {
      const problem = error instanceof AskError ? error.message : describe(error);
      this.#remember(source.memberId, problem);
      throw new AskError(problem, { cause: error });
    }
  }

  #withTimeout<T>(question: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(RESOURCE_LIMITS.askTimeoutMs, () => {
        reject(new AskError(`did not answer within ${RESOURCE_LIMITS.askTimeoutMs / 1000} s`));
        controller.abort();
      });
      question(controller.signal)
        .finally(() => timer.cancel())
        .then(resolve, reject);
    });
  }

  #remember(memberId: string, problem: string): void {
    const atMs = this.#clock.monotonicMs();
    for (const [id, failure] of this.#failures) {
      if (atMs - failure.atMs >= RESOURCE_LIMITS.failureMemoryMs) this.#failures.delete(id);
    }
    this.#failures.set(memberId, { atMs, problem });
  }
}

function describe(error: unknown): string {
  const message = plainText(error instanceof Error ? error.message : String(error));
  return `could not be asked: ${message ?? 'no reason given'}`;
}
