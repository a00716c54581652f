import { badArguments, ClientExit, ExitError } from './exit-error.ts';
import { goJson, type JsonValue } from './format/go-json.ts';
import { type Table, textTable } from './format/text-table.ts';
import { OUTPUT_FORMATS } from './global-options.ts';

export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** Text and bytes in the order in which they are printed; lines end with their own newline. */
export type Pieces = readonly (string | Uint8Array)[];

/** An answer in every format that it has; a missing one is refused, as etcdctl does. */
export interface View {
  readonly simple?: () => Pieces;
  readonly fields?: () => Pieces;
  readonly json?: () => JsonValue;
  readonly table?: () => Table;
  readonly protobuf?: () => Uint8Array;
}

/** The format that `-w` names. */
export function outputFormat(written: string): OutputFormat {
  const found = OUTPUT_FORMATS.find((format) => format === written);
  if (found === undefined) throw new ExitError(ClientExit.badFeature, 'unsupported output format');
  return found;
}

/** What a view looks like in a format, as bytes to print. */
export function rendered(view: View, format: OutputFormat): Uint8Array {
  const pieces = piecesOf(view, format);
  if (pieces === undefined) throw new ExitError(ClientExit.badFeature, `${format} not supported as output format`);
  return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)));
}

function piecesOf(view: View, format: OutputFormat): Pieces | undefined {
  switch (format) {
    case 'simple':
      return view.simple?.();
    case 'fields':
      return view.fields?.();
    case 'json':
      return view.json === undefined ? undefined : [goJson(view.json()), '\n'];
    case 'table':
      return view.table === undefined ? undefined : [textTable(view.table())];
    case 'protobuf':
      return view.protobuf === undefined ? undefined : [view.protobuf()];
  }
}

/** A flag that goes with one format only. */
export function onlyWith(format: OutputFormat, wanted: OutputFormat, flag: string): void {
  if (format !== wanted) throw badArguments(`${flag} is only for \`--write-out=${wanted}\``);
}
