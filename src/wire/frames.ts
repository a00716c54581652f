/** The constants of HTTP/2 frames. Source: RFC 9113, sections 4 to 7. */

/** What a client says first (RFC 9113, section 3.4). */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export const FRAME_HEADER_BYTES = 9;
/** The payload limit that holds until a peer announces another; we never announce another, and never send more. */
export const FRAME_PAYLOAD_BYTES_MAX = 16_384;
/** Flow-control windows before any SETTINGS (section 6.9.2). */
export const DEFAULT_WINDOW_BYTES = 65_535;
/** A window may never exceed this (section 6.9.1). */
export const WINDOW_BYTES_MAX = 2 ** 31 - 1;
export const STREAM_ID_MAX = 2 ** 31 - 1;

export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const Flag = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

/** Section 7. */
export const ErrorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
} as const;

export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** Writes the nine bytes before a payload. */
export function writeFrameHeader(
  buffer: Uint8Array,
  at: number,
  payloadBytes: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  buffer[at] = payloadBytes >>> 16;
  buffer[at + 1] = payloadBytes >>> 8;
  buffer[at + 2] = payloadBytes;
  buffer[at + 3] = type;
  buffer[at + 4] = flags;
  writeUint32(buffer, at + 5, streamId);
}

/** Big endian. */
export function writeUint32(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value >>> 24;
  buffer[at + 1] = value >>> 16;
  buffer[at + 2] = value >>> 8;
  buffer[at + 3] = value;
}

/** Big endian. */
export function readUint32(buffer: Uint8Array, at: number): number {
  return (
    (((buffer[at] as number) << 24) |
      ((buffer[at + 1] as number) << 16) |
      ((buffer[at + 2] as number) << 8) |
      (buffer[at + 3] as number)) >>>
    0
  );
}
