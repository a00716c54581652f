/** Why a request to another member failed. */
export type PeerErrorCode =
  /** There is no link to that member. */
  | 'not-linked'
  /** The link broke before the answer came. */
  | 'lost'
  | 'timeout'
  /** Too many requests at once, on either side. */
  | 'busy'
  /** The other member does not know the kind. */
  | 'unknown-kind'
  /** The other member could not answer; the message is its reason. */
  | 'failed'
  | 'too-large';

export class PeerError extends Error {
  override readonly name = 'PeerError';
  readonly code: PeerErrorCode;

  constructor(code: PeerErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
