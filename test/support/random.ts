/**
 * Chance with a seed (splitmix32), so that a failed run can be repeated. Every test that uses it prints its seed;
 * KEDGE_SEED sets it.
 */
export class Random {
  readonly seed: number;
  private state: number;

  constructor(seed: number) {
    this.seed = seed;
    this.state = seed | 0;
  }

  /** 0 … 2^32-1 */
  uint32(): number {
    this.state = (this.state + 0x9e3779b9) | 0;
    let z = this.state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** 0 … bound-1 */
  below(bound: number): number {
    return this.uint32() % bound;
  }

  /** min … max, both possible. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(from: readonly T[]): T {
    const chosen = from[this.below(from.length)];
    if (chosen === undefined) throw new Error('nothing to pick from');
    return chosen;
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i++) bytes[i] = this.below(256);
    return bytes;
  }
}

/** The run's base seed: KEDGE_SEED, or the given fixed one. Fixed by default: CI runs the same histories every time. */
export function seedOf(fallback: number): number {
  const given = process.env['KEDGE_SEED'];
  return given === undefined ? fallback : Number.parseInt(given, 10);
}
