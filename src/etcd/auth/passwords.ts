/**
 * Hashes passwords as etcd does (bcrypt, so that hashes can be moved to and from an etcd), off the event loop: one hash
 * takes a tenth of a second. Rejects with StatusError when too many wait.
 */
export interface Passwords {
  /** bcrypt's text, such as `$2a$10$…`. */
  hash(password: string): Promise<Uint8Array>;
  /** Takes as long for a wrong password as for the right one. What is no hash matches nothing. */
  matches(password: string, hash: Uint8Array): Promise<boolean>;
}

/** bcrypt looks at no more. */
export const PASSWORD_BYTES_MAX = 72;
