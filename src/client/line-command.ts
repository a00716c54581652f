import { arrangeWords } from '../base/arrange-words.ts';
import type { Command } from '../base/command.ts';
import { type OptionTable, type OptionValues, resolveOptions } from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';

/** What a typed line asks for. */
export interface LineCall<Table extends OptionTable> {
  readonly options: OptionValues<Table>;
  readonly operands: readonly string[];
  /** How many of the operands stood after `--`. */
  readonly afterDashes: number | undefined;
}

/**
 * Reads a line's words as those of a command with these options, whose name is the first of them. Variables do not count.
 * Throws UsageError at a flag that there is not, or a value that it cannot have.
 */
export function readLineCommand<Table extends OptionTable>(words: readonly string[], options: Table): LineCall<Table> {
  const command: Command = {
    name: words[0] ?? '',
    summary: '',
    operands: [],
    options,
    flagStyle: 'etcdctl',
    run: () => Promise.reject(new Error('a line is read, not run')),
  };
  const arranged = arrangeWords(words, [command]);
  const [, ...rest] = arranged.words;
  const dashes = arranged.afterDashes === undefined ? rest.length : rest.length - arranged.afterDashes - 1;
  const written = new Map<string, string>();
  const operands: string[] = [];
  const known = new Set(Object.values(options).map((spec) => spec.flag));
  rest.forEach((word, i) => {
    if (i === dashes) return;
    if (i > dashes || !word.startsWith('-') || word === '-') {
      operands.push(word);
      return;
    }
    const [, flag = '', value = ''] = /^--([^=]+)=(.*)$/s.exec(word) ?? [];
    if (!known.has(flag)) throw new UsageError(`unknown flag: ${word}`);
    written.set(flag, value);
  });
  return { options: resolveOptions(options, written, {}), operands, afterDashes: arranged.afterDashes };
}
