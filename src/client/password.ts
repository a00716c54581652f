import { badArguments } from './exit-error.ts';
import type { ClientHost } from './host.ts';
import { linesOf } from './input.ts';

const ENTER = ['\r', '\n'];
const BACKSPACE = ['\x7f', '\b'];
const INTERRUPT = '\x03';
const END = '\x04';

/** Asks for a password without showing what is typed. Without a terminal it is the first line of the input. */
export async function askPassword(host: ClientHost, prompt: string): Promise<string> {
  host.out(prompt);
  const { input } = host;
  const typed = input.isTTY === true ? await readHidden(host) : ((await linesOf(input).next()) ?? '');
  host.out('\n');
  return typed;
}

async function readHidden(host: ClientHost): Promise<string> {
  const { input } = host;
  input.setRawMode?.(true);
  try {
    let typed = '';
    const keys = input[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await keys.next();
      if (done === true) return typed;
      for (const key of Buffer.from(value as Uint8Array).toString()) {
        if (ENTER.includes(key) || key === END) return typed;
        if (key === INTERRUPT) throw badArguments('failed to ask password: interrupted');
        typed = BACKSPACE.includes(key) ? typed.slice(0, -1) : typed + key;
      }
    }
  } finally {
    input.setRawMode?.(false);
  }
}
