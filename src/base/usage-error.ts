/** The user asked for something that cannot be: a wrong flag, value or address. The message says what to do; no stack is shown. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
