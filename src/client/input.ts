import { ClientExit, ExitError } from './exit-error.ts';
import type { ClientInput } from './host.ts';
import { CLIENT_LIMITS } from './limits.ts';

/** Standard input line by line, without the newlines; what stands after the last newline is no line. */
export class InputLines {
  private readonly chunks: AsyncIterator<Uint8Array | string>;
  private held = '';
  private readonly decoder = new TextDecoder();

  constructor(input: ClientInput) {
    this.chunks = input[Symbol.asyncIterator]();
  }

  /** undefined: the input has ended. */
  async next(): Promise<string | undefined> {
    for (;;) {
      const end = this.held.indexOf('\n');
      if (end >= 0) {
        const line = this.held.slice(0, end);
        this.held = this.held.slice(end + 1);
        return line;
      }
      if (this.held.length > CLIENT_LIMITS.inputLineBytesMax) {
        throw new ExitError(ClientExit.invalidInput, `a line of more than ${CLIENT_LIMITS.inputLineBytesMax} bytes`);
      }
      const { done, value } = await this.chunks.next();
      if (done === true) return undefined;
      this.held += typeof value === 'string' ? value : this.decoder.decode(value, { stream: true });
    }
  }

  /** The first word of what is left, up to the end of its line. */
  async word(): Promise<string> {
    const line = (await this.next()) ?? this.held;
    return line.trim().split(/\s+/)[0] ?? '';
  }
}

const readers = new WeakMap<ClientInput, InputLines>();

/** The one reader of an input's lines: two would take each other's. */
export function linesOf(input: ClientInput): InputLines {
  const reader = readers.get(input) ?? new InputLines(input);
  readers.set(input, reader);
  return reader;
}

/** All of standard input. */
export async function readAll(input: ClientInput): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of input) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk);
    length += bytes.length;
    if (length > CLIENT_LIMITS.inputValueBytesMax) {
      throw new ExitError(ClientExit.invalidInput, `more than ${CLIENT_LIMITS.inputValueBytesMax} bytes to read`);
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
