import type { Paint } from './tree.ts';

const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/**
 * JSON over several lines, two spaces deep, token by token: numbers of any size and names that come twice stay as they
 * are. undefined: the text is not an object or a list in JSON.
 */
export function prettyJson(text: string, paint: Paint): string | undefined {
  const trimmed = text.trimStart();
  if (!trimmed.startsWith('{') && !trimmed.startsWith('[')) return undefined;
  try {
    JSON.parse(text);
  } catch {
    // Not JSON after all.
    return undefined;
  }
  const tokens = text.match(TOKENS) ?? [];
  let pretty = '';
  let depth = 0;
  const newLine = () => `\n${'  '.repeat(depth)}`;
  tokens.forEach((token, i) => {
    const next = tokens[i + 1];
    if (token === '{' || token === '[') {
      depth++;
      pretty += token;
      if (next !== '}' && next !== ']') pretty += newLine();
    } else if (token === '}' || token === ']') {
      depth--;
      const isEmpty = tokens[i - 1] === '{' || tokens[i - 1] === '[';
      pretty += isEmpty ? token : newLine() + token;
    } else if (token === ',') pretty += token + newLine();
    else if (token === ':') pretty += ': ';
    else if (!token.startsWith('"')) pretty += paint.other(token);
    else pretty += next === ':' ? paint.name(token) : paint.text(token);
  });
  return pretty;
}
