/** What the main thread asks of the thread that hashes. */
export type PasswordQuestion =
  | { readonly id: number; readonly kind: 'hash'; readonly password: string; readonly cost: number }
  | { readonly id: number; readonly kind: 'matches'; readonly password: string; readonly hash: string };

export interface PasswordAnswer {
  readonly id: number;
  /** A hash, or whether it matches; undefined: it could not be done. */
  readonly answer: string | boolean | undefined;
}
