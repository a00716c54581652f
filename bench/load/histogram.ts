/** A log-linear histogram of microseconds: 64 steps per doubling, so that a percentile is off by at most 1.6 %. */
const stepBits = 6;
const steps = 1 << stepBits;
const buckets = steps * (32 - stepBits);

export class Histogram {
  readonly #counts = new Float64Array(buckets);
  count = 0;

  record(microseconds: number): void {
    (this.#counts[bucketOf(microseconds)] as number)++;
    this.count++;
  }

  clear(): void {
    this.#counts.fill(0);
    this.count = 0;
  }

  /** The latency in milliseconds below which the given share (0 to 1) lies; 0 when nothing was recorded. */
  percentile(share: number): number {
    let left = Math.ceil(share * this.count);
    for (let bucket = 0; bucket < buckets; bucket++) {
      left -= this.#counts[bucket] ?? 0;
      if (left <= 0) return middleOf(bucket) / 1000;
    }
    return 0;
  }
}

function bucketOf(microseconds: number): number {
  const value = microseconds | 0;
  if (value < steps) return Math.max(0, value);
  const shift = 31 - Math.clz32(value) - stepBits;
  return (shift << stepBits) + (value >>> shift);
}

function middleOf(bucket: number): number {
  if (bucket < 2 * steps) return bucket;
  const shift = (bucket >>> stepBits) - 1;
  return (((bucket & (steps - 1)) | steps) + 0.5) * 2 ** shift;
}
