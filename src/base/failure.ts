/**
 * It could not be done, for a reason outside of kedge that its user can do something about: the address is taken, the
 * data folder is in use. The message says what and how; no stack is shown.
 */
export class Failure extends Error {
  override readonly name = 'Failure';
}
