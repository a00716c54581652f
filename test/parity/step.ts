import type { UnaryMethods, WatchRequest } from '../support/messages.ts';

/** What is done to both servers at the same moment of their lives. Plain data, so that a history can be cut and run again. */
export type Step =
  | CallStep
  /** One message on a lease keep-alive stream of its own, and the answer to it. */
  | { readonly kind: 'keepalive'; readonly id: string }
  | { readonly kind: 'watch'; readonly stream: number; readonly request: WatchRequest }
  /** All watches of both must have caught up, and must have seen the same. */
  | { readonly kind: 'settle' }
  /** Both servers end in peace and start again on their data. Streams are gone. */
  | { readonly kind: 'restart' };

export type CallStep = {
  [M in keyof UnaryMethods]: { readonly kind: 'call'; readonly method: M; readonly request: UnaryMethods[M][0] };
}[keyof UnaryMethods];

/** For people. */
export function showStep(step: Step): string {
  const { kind, ...rest } = step;
  return `${kind} ${JSON.stringify(rest, showBytes)}`;
}

function showBytes(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null || !('type' in value) || value.type !== 'Buffer') return value;
  return 'data' in value && Array.isArray(value.data) ? Buffer.from(value.data).toString('latin1') : value;
}
