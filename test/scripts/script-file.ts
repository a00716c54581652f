import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EtcdVersion } from '../support/etcd.ts';
import { projectRoot } from '../support/project.ts';

/**
 * Golden scripts: what a store answers, written down.
 *
 *     # Why this script exists.
 *     @args --max-txn-ops=2          flags for the server, the same for etcd and kedge
 *     @since 3.5                     not run against an older etcd
 *
 *     put a 1                        a block: commands,
 *     get a
 *     ---                            three dashes,
 *     rev 2                          and what they print, up to the next empty line
 *     rev 2 count 1
 *       a=1 create 2 mod 2 version 1
 *
 * A line that is indented belongs to the command above it (txn). All blocks of a script run on one fresh server.
 * What is below the dashes is only ever written by the real etcd 3.5 (`node dist/test/scripts/rewrite.js`).
 */
export interface Script {
  readonly name: string;
  readonly path: string;
  /** Everything before the first block, comments and directives. */
  readonly head: readonly string[];
  readonly args: readonly string[];
  readonly since: EtcdVersion;
  readonly blocks: readonly Block[];
}

export interface Block {
  readonly comments: readonly string[];
  readonly commands: readonly Command[];
  readonly output: readonly string[];
  /** Of the file, counted from 1. */
  readonly line: number;
}

export interface Command {
  readonly line: string;
  readonly below: readonly string[];
}

const folder = join(projectRoot, 'test', 'scripts');

export function allScripts(): Script[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.script'));
  return names.sort().map((name) => parseScript(name.slice(0, -'.script'.length), join(folder, name)));
}

function parseScript(name: string, path: string): Script {
  const paragraphs: { readonly lines: string[]; readonly line: number }[] = [];
  let current: string[] = [];
  for (const [index, line] of [...readFileSync(path, 'utf8').split('\n'), ''].entries()) {
    if (line.trim() !== '') current.push(line);
    else if (current.length > 0) {
      paragraphs.push({ lines: current, line: index - current.length + 1 });
      current = [];
    }
  }
  const head = paragraphs
    .filter(({ lines }) => lines.every((line) => /^[#@]/.test(line)))
    .flatMap(({ lines }) => lines);
  const directive = (word: string) =>
    head.filter((line) => line.startsWith(`@${word} `)).map((line) => line.slice(word.length + 2).trim());
  return {
    name,
    path,
    head,
    args: directive('args').flatMap((line) => line.split(/\s+/)),
    since: directive('since')[0] === '3.5' ? '3.5' : '3.4',
    blocks: paragraphs.filter(({ lines }) => !lines.every((line) => /^[#@]/.test(line))).map(parseBlock),
  };
}

function parseBlock(paragraph: { readonly lines: readonly string[]; readonly line: number }): Block {
  const dashes = paragraph.lines.indexOf('---');
  const input = dashes < 0 ? paragraph.lines : paragraph.lines.slice(0, dashes);
  const commands: { line: string; below: string[] }[] = [];
  for (const line of input.filter((text) => !text.startsWith('#'))) {
    const last = commands.at(-1);
    if (line.startsWith(' ') && last !== undefined) last.below.push(line);
    else commands.push({ line, below: [] });
  }
  return {
    comments: input.filter((text) => text.startsWith('#')),
    commands,
    output: dashes < 0 ? [] : paragraph.lines.slice(dashes + 1),
    line: paragraph.line,
  };
}

/** Writes a script anew with what was printed for each block. */
export function rewriteScript(script: Script, outputs: readonly (readonly string[])[]): void {
  const paragraphs = script.blocks.map((block, i) =>
    [
      ...block.comments,
      ...block.commands.flatMap((command) => [command.line, ...command.below]),
      '---',
      ...(outputs[i] ?? []),
    ].join('\n'),
  );
  writeFileSync(script.path, `${[script.head.join('\n'), ...paragraphs].join('\n\n')}\n`);
}
