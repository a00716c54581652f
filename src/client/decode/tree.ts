/** Something decoded, for people: a value, a list, or named parts in order. */
export type Tree = string | number | bigint | boolean | readonly Tree[] | Branch;

/** Named parts. A class, so that names like `constructor` are just names. */
export class Branch {
  readonly parts: readonly (readonly [name: string, value: Tree])[];

  constructor(parts: readonly (readonly [name: string, value: Tree])[]) {
    this.parts = parts;
  }
}

/** How names and values are shown. */
export interface Paint {
  name(text: string): string;
  text(text: string): string;
  other(text: string): string;
}

const plain = (text: string) => text;
export const PLAIN: Paint = { name: plain, text: plain, other: plain };

const coloured = (code: number) => (text: string) => `\x1b[${code}m${text}\x1b[0m`;
export const COLOURED: Paint = { name: coloured(36), text: coloured(32), other: coloured(33) };

/** A tree in the manner of YAML, without a newline at its end. */
export function treeText(tree: Tree, paint: Paint): string {
  return linesOf(tree, paint).join('\n');
}

function linesOf(tree: Tree, paint: Paint): string[] {
  if (tree instanceof Branch) {
    if (tree.parts.length === 0) return ['{}'];
    return tree.parts.flatMap(([name, value]) => {
      const label = `${paint.name(nameText(name))}:`;
      const lines = linesOf(value, paint);
      if (isInline(value)) return [`${label} ${lines[0] ?? ''}`, ...lines.slice(1).map(indented)];
      return [label, ...lines.map(indented)];
    });
  }
  if (isList(tree)) {
    if (tree.length === 0) return ['[]'];
    return tree.flatMap((item) => linesOf(item, paint).map((line, i) => (i === 0 ? `- ${line}` : `  ${line}`)));
  }
  return scalarLines(tree, paint);
}

function scalarLines(value: string | number | bigint | boolean, paint: Paint): string[] {
  if (typeof value !== 'string') return [paint.other(String(value))];
  // Text of several lines as a block; whatever else could not be read back as it is goes into quotes.
  if (value.includes('\n') && /^\S/.test(value) && !hasControls(value)) {
    const keepsEnd = value.endsWith('\n');
    const body = keepsEnd ? value.slice(0, -1) : value;
    return [keepsEnd ? '|' : '|-', ...body.split('\n').map((line) => paint.text(line))];
  }
  return [paint.text(plainOrQuoted(value))];
}

function isInline(tree: Tree): boolean {
  if (tree instanceof Branch) return tree.parts.length === 0;
  return !isList(tree) || tree.length === 0;
}

function isList(tree: Tree): tree is readonly Tree[] {
  return Array.isArray(tree);
}

function indented(line: string): string {
  return `  ${line}`;
}

/** Control characters other than those that lay out text. */
export function hasControls(text: string): boolean {
  return /\p{Cc}/u.test(text.replace(/[\t\n\r]/g, ''));
}

/** Words that YAML would take for something else than text. */
const NOT_TEXT = /^(?:true|false|null|yes|no|on|off|~|[-+]?(?:\d[\d_]*)?\.?\d*(?:e[-+]?\d+)?|0x[\da-f]+|0o[0-7]+)$/i;

function plainOrQuoted(text: string): string {
  return isPlain(text) && !NOT_TEXT.test(text) ? text : JSON.stringify(text);
}

/** A name is never taken for a number. */
function nameText(name: string): string {
  return isPlain(name) ? name : JSON.stringify(name);
}

function isPlain(text: string): boolean {
  return /^[\p{L}\p{N}_./][\p{L}\p{N}\p{M}_./:@=+,;()*%$! -]*$/u.test(text) && !/: |:$| $| #/.test(text);
}
