import type { MemberId } from './types.ts';

/** Why somebody is not, or no longer, linked. A label of metrics: few, and fixed. */
export type RefusalCode =
  /** Nobody answers there. */
  | 'unreachable'
  | 'tls'
  | 'timeout'
  /** What came is not our protocol. */
  | 'bad-frame'
  | 'protocol-version'
  | 'no-certificate'
  | 'untrusted-certificate'
  | 'certificate-name'
  | 'wrong-secret'
  | 'not-in-table'
  | 'not-loopback'
  /** DNS publishes another key for that address. */
  | 'key-mismatch'
  | 'wrong-cluster'
  /** Hello names another id than TLS has proven. */
  | 'identity-mismatch'
  /** Another process has our key. */
  | 'same-identity'
  /** It is ourselves, under whatever name. */
  | 'self'
  /** There is a link between the two already. */
  | 'duplicate'
  | 'full'
  | 'draining'
  | 'rate';

/** A handshake ended without a link. `by`: whether we refused them, or they us. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: RefusalCode;
  readonly by: 'us' | 'them';
  /** Who it was, when TLS had proven it. */
  provenId: MemberId | undefined;

  constructor(code: RefusalCode, message: string, by: 'us' | 'them' = 'us') {
    super(message);
    this.code = code;
    this.by = by;
  }
}

const CODES: ReadonlySet<string> = new Set<RefusalCode>([
  'unreachable',
  'tls',
  'timeout',
  'bad-frame',
  'protocol-version',
  'no-certificate',
  'untrusted-certificate',
  'certificate-name',
  'wrong-secret',
  'not-in-table',
  'not-loopback',
  'key-mismatch',
  'wrong-cluster',
  'identity-mismatch',
  'same-identity',
  'self',
  'duplicate',
  'full',
  'draining',
  'rate',
]);

export function isRefusalCode(text: string): text is RefusalCode {
  return CODES.has(text);
}

/** These are no fault of anybody, and nobody needs to hear of them. */
export function isHarmless(code: RefusalCode): boolean {
  return code === 'self' || code === 'duplicate';
}
