import type { Client } from 'pg';

/*
 * The Bind message of PostgreSQL's protocol (its manual: "Message Formats"), without copying long parameters into it.
 * The driver makes one buffer of all of them, which grows as they come: of an append of some hundred changes that is
 * twice as much memory again as the append itself, for each one, and V8 collects all of its heap the more often.
 */

/** A Buffer goes in binary format, everything else as text; null and undefined are NULL. */
export type BindValue = Buffer | string | number | bigint | null | undefined;

/** Below this a parameter is copied. */
const LONG_BYTES = 4096;
const TYPE = 0x42;
const BINARY = 1;
const NULL_LENGTH = -1;
const NO_BYTES = Buffer.alloc(0);

/** The message in pieces, to be sent one after the other. Answers come as text. */
export function bindMessage(portal: string, statement: string, values: readonly BindValue[]): readonly Buffer[] {
  const parameters = values.map(bytesOf);
  const names = Buffer.from(`${portal}\0${statement}\0`);
  let ownBytes = 1 + 4 + names.length + 2 + 2 * values.length + 2 + 4 * values.length + 2;
  let longBytes = 0;
  for (const bytes of parameters) {
    const { length } = bytes ?? NO_BYTES;
    if (length < LONG_BYTES) ownBytes += length;
    else longBytes += length;
  }
  const own = Buffer.allocUnsafe(ownBytes);
  let at = own.writeUInt8(TYPE, 0);
  at = own.writeInt32BE(ownBytes - 1 + longBytes, at);
  at += names.copy(own, at);
  at = own.writeInt16BE(values.length, at);
  for (const value of values) at = own.writeInt16BE(Buffer.isBuffer(value) ? BINARY : 0, at);
  at = own.writeInt16BE(values.length, at);
  const pieces: Buffer[] = [];
  let from = 0;
  for (const bytes of parameters) {
    at = own.writeInt32BE(bytes?.length ?? NULL_LENGTH, at);
    if (bytes === undefined) continue;
    if (bytes.length < LONG_BYTES) at += bytes.copy(own, at);
    else {
      pieces.push(own.subarray(from, at), bytes);
      from = at;
    }
  }
  // All columns as the default format, which is text.
  own.writeInt16BE(0, at);
  pieces.push(own.subarray(from));
  return pieces;
}

/** Has the driver's client send its Bind messages so (pg 8: lib/connection.js; it corks the stream meanwhile). */
export function bindInPieces(client: Client): void {
  const { connection } = client as unknown as { readonly connection: DriverConnection };
  connection.bind = ({ portal, statement, values }) => {
    for (const piece of bindMessage(portal ?? '', statement ?? '', values ?? [])) connection._send(piece);
  };
}

interface DriverConnection {
  _send(bytes: Buffer): void;
  bind(message: {
    readonly portal?: string | undefined;
    readonly statement?: string | undefined;
    readonly values?: readonly BindValue[] | undefined;
  }): void;
}

function bytesOf(value: BindValue): Buffer | undefined {
  if (value === null || value === undefined) return undefined;
  return Buffer.isBuffer(value) ? value : Buffer.from(String(value));
}
