import type { KeyValue } from '../../etcd/messages/kv-table.ts';
import type { Value } from '../../etcd/messages/schema.ts';
import { goQuote } from '../format/go-quote.ts';
import type { Pieces } from '../printer.ts';
import { fieldLines } from './header-fields.ts';

/** A pair as it came; in a message within a message fields may be missing. */
export type Pair = Partial<Value<typeof KeyValue>>;

/** How `-w simple` shows pairs. */
export interface PairStyle {
  readonly hex: boolean;
  readonly valueOnly: boolean;
  /** Instead of a value's bytes. */
  readonly decode?: (value: Uint8Array) => string | Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** Key and value, a line each. */
export function pairLines({ key = NO_BYTES, value = NO_BYTES }: Pair, style: PairStyle): Pieces {
  const shown = style.hex ? hexBytes(value) : (style.decode?.(value) ?? value);
  return style.valueOnly ? [shown, '\n'] : [style.hex ? hexBytes(key) : key, '\n', shown, '\n'];
}

/** `"Key" : …` and so on, each name with `prefix` before it. */
export function pairFields(pair: Pair, prefix = ''): string {
  return fieldLines({
    [`${prefix}Key`]: goQuote(pair.key ?? NO_BYTES),
    [`${prefix}CreateRevision`]: pair.create_revision ?? 0,
    [`${prefix}ModRevision`]: pair.mod_revision ?? 0,
    [`${prefix}Version`]: pair.version ?? 0,
    [`${prefix}Value`]: goQuote(pair.value ?? NO_BYTES),
    [`${prefix}Lease`]: pair.lease ?? 0n,
  });
}

function hexBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').replace(/../g, '\\x$&');
}
