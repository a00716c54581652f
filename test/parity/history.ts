import { RpcError } from '../support/client.ts';
import { type Side, until } from './side.ts';
import { type Step, showStep } from './step.ts';

/** Where two servers came apart. */
export class Difference extends Error {
  override readonly name = 'Difference';

  constructor(step: Step, left: Side, leftSaid: string, right: Side, rightSaid: string) {
    const [a, b] = apart(leftSaid, rightSaid);
    super(`at ${showStep(step)}\n${left.name}: ${a}\n${right.name}: ${b}`);
  }
}

/** Does one step to both and compares what they say. */
export async function runStep(step: Step, left: Side, right: Side): Promise<void> {
  const said = await Promise.all([say(step, left), say(step, right)]);
  if (step.kind === 'settle') await until(() => left.pictures === right.pictures);
  const [leftSaid, rightSaid] = step.kind === 'settle' ? [left.pictures, right.pictures] : said;
  if (leftSaid !== rightSaid) throw new Difference(step, left, leftSaid, right, rightSaid);
  for (const side of [left, right]) {
    if (side.broken !== undefined) throw new Error(`${side.name}: ${side.broken}`);
  }
}

async function say(step: Step, side: Side): Promise<string> {
  switch (step.kind) {
    case 'call':
      return side.call(step);
    case 'keepalive':
      return side.keepAlive(step.id);
    case 'watch':
      await side.watch(step.stream, step.request);
      return '';
    case 'settle':
      await side.settle();
      return '';
    case 'restart':
      await side.restart();
      return '';
  }
}

/** Runs a whole history on fresh servers; the difference it ends with, or undefined. */
export async function replay(
  steps: readonly Step[],
  open: () => Promise<readonly [Side, Side]>,
): Promise<Error | undefined> {
  const [left, right] = await open();
  try {
    for (const step of [...steps, { kind: 'settle' } as const]) await runStep(step, left, right);
    return undefined;
  } catch (error) {
    if (error instanceof RpcError || !(error instanceof Error)) throw error;
    return error;
  } finally {
    await Promise.all([left.close(), right.close()]);
  }
}

/**
 * Leaves out steps as long as the servers still come apart (ddmin), within a number of tries: each costs two fresh servers.
 */
export async function shrink(
  steps: readonly Step[],
  open: () => Promise<readonly [Side, Side]>,
  triesMax: number,
): Promise<readonly Step[]> {
  let current = steps;
  let tries = 0;
  for (let size = Math.ceil(current.length / 2); size >= 1 && tries < triesMax; size = Math.floor(size / 2)) {
    for (let at = 0; at < current.length && tries < triesMax; ) {
      const without = [...current.slice(0, at), ...current.slice(at + size)];
      tries++;
      if ((await replay(without, open)) === undefined) at += size;
      else current = without;
    }
  }
  return current;
}

/** Long answers are cut to where they come apart. */
function apart(a: string, b: string): readonly [string, string] {
  let same = 0;
  while (same < a.length && same < b.length && a[same] === b[same]) same++;
  const from = Math.max(0, same - 300);
  return [`…${a.slice(from, same + 400)}`, `…${b.slice(from, same + 400)}`];
}
