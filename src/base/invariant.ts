/**
 * Asserts what cannot happen. A failure is a defect of kedge, never of its user or its surroundings:
 * the process should end rather than go on with a broken state.
 */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** A broken invariant. Nobody catches it but the process's last handler. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** For exhaustive switches: the compiler proves that no case is left. */
export function unreachable(value: never): never {
  throw new InvariantError(`unexpected case: ${String(value)}`);
}
