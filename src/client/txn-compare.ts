import type { Compare } from '../etcd/messages/kv-table.ts';
import type { Value } from '../etcd/messages/schema.ts';
import { ClientExit, ExitError } from './exit-error.ts';
import { parseInt64, parseInt64Number } from './format/go-integer.ts';
import { goQuote, goUnquote } from './format/go-quote.ts';

const RESULTS: Readonly<Record<string, number>> = { '=': 0, '>': 1, '<': 2, '!=': 3 };

/**
 * A line of txn's first part: `mod("key") > "0"`. Targets: version (ver), create (c), mod (m), value (val), lease.
 * Throws ExitError in etcdctl's words.
 */
export function parseCompare(line: string): Partial<Value<typeof Compare>> {
  const parenthesis = line.indexOf('(');
  if (parenthesis < 0) throw malformed(line);
  const target = line.slice(0, parenthesis);
  const { key, operator, operand } = scan(line, target, line.slice(parenthesis + 1));
  const shared = { key, result: RESULTS[operator] ?? 0 };
  if (RESULTS[operator] === undefined) throw malformed(`${line} (unknown operator ${operator})`);
  const text = Buffer.from(operand).toString();
  try {
    switch (target) {
      case 'ver':
      case 'version':
        return { ...shared, target: 0, version: parseInt64Number(text) };
      case 'c':
      case 'create':
        return { ...shared, target: 1, create_revision: parseInt64Number(text) };
      case 'm':
      case 'mod':
        return { ...shared, target: 2, mod_revision: parseInt64Number(text) };
      case 'val':
      case 'value':
        return { ...shared, target: 3, value: operand };
      case 'lease':
        return { ...shared, target: 4, lease: parseInt64(text, 16) };
    }
  } catch {
    throw invalid(`invalid txn compare request: ${line}`);
  }
  throw malformed(`${line} (unknown target ${target})`);
}

interface Scanned {
  readonly key: Uint8Array;
  readonly operator: string;
  readonly operand: Uint8Array;
}

/** `"key") operator "operand"`; what could be read of it stands in the error. */
function scan(line: string, target: string, text: string): Scanned {
  const key = goUnquote(text);
  const [, operator = '', rest = ''] = (key && /^\)\s*(\S+)(.*)$/s.exec(key.rest)) ?? [];
  const operand = operator === '' ? undefined : goUnquote(rest.trimStart());
  if (key === undefined || operand === undefined) {
    throw malformed(`${line}; got ${target}(${goQuote(key?.value ?? '')}) ${operator} ""`);
  }
  return { key: key.value, operator, operand: operand.value };
}

function malformed(what: string): ExitError {
  return invalid(`malformed comparison: ${what}`);
}

function invalid(message: string): ExitError {
  return new ExitError(ClientExit.invalidInput, message);
}
