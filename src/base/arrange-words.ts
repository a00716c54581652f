import type { Command } from './command.ts';

/*
 * Brings the words of a command line into the one order and spelling that the parser takes: the command's name first,
 * then flags in full with their values joined by `=`, operands where they stood.
 *
 *     --endpoints :2379 get -w json foo   →   get --endpoints=:2379 --write-out=json foo
 *     endpoint --cluster status           →   endpoint status --cluster=true
 *     serve -data-dir /d                  →   serve --data-dir /d
 *
 * What is not understood is left as it is, for the parser to complain of.
 */

export interface ArrangedWords {
  /** What the words ask for; undefined: no command's name was found. */
  readonly command: Command | undefined;
  readonly words: readonly string[];
  /** How many words stand after `--`; undefined: there is none. */
  readonly afterDashes: number | undefined;
}

/** Pure. `commands` are those that there are; their flags are looked up to tell which of them take a value. */
export function arrangeWords(words: readonly string[], commands: readonly Command[]): ArrangedWords {
  const { name, others, rest } = splitName(words, commands);
  const command = commands.find((known) => known.name === name.join(' '));
  const behind = [...others, ...rest];
  const dashes = behind.indexOf('--');
  const flagged = dashes < 0 ? behind : behind.slice(0, dashes);
  const literal = dashes < 0 ? [] : behind.slice(dashes);
  const spelled = command?.flagStyle === 'etcdctl' ? etcdctlFlags(flagged, command) : flagged.map(doubleDash);
  return {
    command,
    words: [...name, ...spelled, ...literal],
    afterDashes: dashes < 0 ? undefined : literal.length - 1,
  };
}

/** The words of the command's name, the flags that stood among them, and what follows. */
function splitName(
  words: readonly string[],
  commands: readonly Command[],
): { readonly name: string[]; readonly others: string[]; readonly rest: readonly string[] } {
  const name: string[] = [];
  const others: string[] = [];
  const all = flagsOf(commands);
  let i = 0;
  for (; i < words.length; i++) {
    const word = words[i] ?? '';
    if (word === '--') break;
    if (isFlag(word)) {
      others.push(word);
      const next = words[i + 1];
      if (takesNextWord(word, all) && next !== undefined) {
        others.push(next);
        i++;
      }
      continue;
    }
    const found = nextNameWord(name, word, commands);
    if (found === undefined) break;
    name.push(found);
  }
  return { name, others, rest: words.slice(i) };
}

/** The word of a command's name that `word` is, or of which it is the only possible beginning (as etcdctl has it). */
function nextNameWord(name: readonly string[], word: string, commands: readonly Command[]): string | undefined {
  const known = new Set<string>();
  for (const command of commands) {
    const parts = command.name.split(' ');
    const next = parts[name.length];
    if (next === undefined || !name.every((part, i) => parts[i] === part)) continue;
    if (command.flagStyle === 'etcdctl' || next === word) known.add(next);
  }
  if (known.has(word)) return word;
  const begun = [...known].filter((candidate) => candidate.startsWith(word));
  return begun.length === 1 ? begun[0] : undefined;
}

interface Flags {
  /** Long name → whether it is a switch. */
  readonly isSwitch: ReadonlyMap<string, boolean>;
  /** Letter → long name. */
  readonly short: ReadonlyMap<string, string>;
}

function flagsOf(commands: readonly Command[]): Flags {
  const isSwitch = new Map<string, boolean>();
  const short = new Map<string, string>();
  for (const command of commands) {
    for (const spec of Object.values(command.options)) {
      for (const flag of [spec.flag, ...(spec.aliases ?? [])]) isSwitch.set(flag, spec.kind.placeholder === '');
      if (spec.short !== undefined) short.set(spec.short, spec.flag);
    }
    for (const inert of command.inertFlags ?? []) isSwitch.set(inert.flag, inert.isSwitch);
  }
  return { isSwitch, short };
}

function isFlag(word: string): boolean {
  return word.length > 1 && word.startsWith('-');
}

/** Whether the value of a flag is the word after it. Of an unknown flag: no. */
function takesNextWord(word: string, flags: Flags): boolean {
  if (word.includes('=')) return false;
  if (word.startsWith('--')) return flags.isSwitch.get(word.slice(2)) === false;
  if (word.length === 2) return flags.isSwitch.get(flags.short.get(word.slice(1)) ?? '') === false;
  return flags.isSwitch.get(word.slice(1)) === false;
}

/** Go's flag package takes `-name` for `--name`; so do unit files that were written for etcd. */
function doubleDash(word: string): string {
  return /^-[a-z][a-z0-9-]+/.test(word) ? `-${word}` : word;
}

function etcdctlFlags(words: readonly string[], command: Command): string[] {
  const flags = flagsOf([command]);
  const spelled: string[] = [];
  const waiting = [...words];
  for (let word = waiting.shift(); word !== undefined; word = waiting.shift()) {
    if (!isFlag(word)) spelled.push(word);
    else if (word.startsWith('--')) spelled.push(longFlag(word, waiting, flags));
    else spelled.push(...shortFlags(word, waiting, flags));
  }
  return spelled;
}

function longFlag(word: string, waiting: string[], flags: Flags): string {
  const isSwitch = flags.isSwitch.get(word.slice(2));
  if (isSwitch === undefined || word.includes('=')) return word;
  if (isSwitch) return `${word}=true`;
  const value = waiting.shift();
  return value === undefined ? word : `${word}=${value}`;
}

/** `-i`, `-wjson`, `-w=json`, `-w json`, `-iwjson`. */
function shortFlags(word: string, waiting: string[], flags: Flags): string[] {
  const spelled: string[] = [];
  for (let at = 1; at < word.length; at++) {
    const flag = flags.short.get(word.charAt(at));
    if (flag === undefined) return [...spelled, at === 1 ? word : `-${word.slice(at)}`];
    const joined = word.slice(at + 1);
    if (joined.startsWith('=')) return [...spelled, `--${flag}${joined}`];
    if (flags.isSwitch.get(flag) === true) {
      spelled.push(`--${flag}=true`);
      continue;
    }
    if (joined !== '') return [...spelled, `--${flag}=${joined}`];
    return [...spelled, longFlag(`--${flag}`, waiting, flags)];
  }
  return spelled;
}
