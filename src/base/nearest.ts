/**
 * The known name that a mistyped one most likely means, or undefined when none is near: at most two slips (a missing,
 * extra, wrong or swapped letter), one in three letters at the most; or the only one that begins or ends with it.
 */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestSlips = Math.min(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const slips = distance(name, candidate);
    if (slips < bestSlips) {
      best = candidate;
      bestSlips = slips;
    }
  }
  if (best !== undefined || name.length < 3) return best;
  const parts = known.filter((candidate) => candidate.startsWith(name) || candidate.endsWith(`-${name}`));
  return parts.length === 1 ? parts[0] : undefined;
}

/** `; did you mean x?` or nothing: the tail of an error message. */
export function didYouMean(name: string, known: readonly string[], prefix = ''): string {
  const found = nearest(name, known);
  return found === undefined ? '' : `; did you mean ${prefix}${found}?`;
}

/** Edits between two words; a swap of neighbours counts as one ("optimal string alignment"). */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let edits = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, (before[j - 2] ?? 0) + 1);
      }
      row.push(edits);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}
