import { badArguments } from './exit-error.ts';

/** What the operands of `watch` say. */
export interface WatchWords {
  /** The key, and perhaps where a range ends. */
  readonly range: readonly string[];
  /** What to run for each event; empty: nothing. */
  readonly command: readonly string[];
}

/** Parts them at `--`. `fromEnvironment` is the range that variables name; then the words may name none. */
export function watchWords(
  { operands, afterDashes }: { readonly operands: readonly string[]; readonly afterDashes: number | undefined },
  fromEnvironment: readonly string[],
): WatchWords {
  if (afterDashes === 0) throw badArguments('bad number of arguments (found separator --, but no commands)');
  const commandAt = operands.length - (afterDashes ?? 0);
  const range = operands.slice(0, commandAt);
  const command = operands.slice(commandAt);
  if (fromEnvironment.length === 0) {
    if (range.length === 0) throw badArguments('bad number of arguments');
    return { range, command };
  }
  if (range.length > 0) throw badArguments('bad number of arguments (found conflicting environment key)');
  return { range: fromEnvironment, command };
}
