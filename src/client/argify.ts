import { ClientExit, ExitError } from './exit-error.ts';
import { textOfBytes } from './format/byte-text.ts';
import { goUnquote } from './format/go-quote.ts';

/**
 * Words of a line that is typed into txn or watch: apart at spaces, in 'single' quotes as they are, in "double" quotes
 * as Go reads them. Source: etcdctl's grammar (README of etcdctl 3.5, "txn").
 */
export function argify(line: string): string[] {
  return (line.match(/"(?:[^"\\]|\\.)*"|'[^']*'|[^'"\s]\S*[^'"\s]?/g) ?? []).map((part) => {
    if (part.startsWith("'")) return part.slice(1, -1);
    if (!part.startsWith('"')) return part;
    const read = goUnquote(part);
    if (read === undefined) throw new ExitError(ClientExit.invalidInput, 'invalid syntax');
    return textOfBytes(read.value);
  });
}
