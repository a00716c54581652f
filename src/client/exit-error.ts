/** etcdctl's exit codes. Source: pkg/cobrautl of etcd 3.5. */
export const ClientExit = {
  error: 1,
  badConnection: 2,
  /** Of txn and watch. */
  invalidInput: 3,
  /** A flag that there is, with a value that there is not. */
  badFeature: 4,
  interrupted: 5,
  badArguments: 128,
} as const;

/** Ends a client command: `Error: <message>` is printed, and it exits with `code`. */
export class ExitError extends Error {
  override readonly name = 'ExitError';
  readonly code: number;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Wrong operands or flags. */
export function badArguments(message: string): ExitError {
  return new ExitError(ClientExit.badArguments, message);
}
