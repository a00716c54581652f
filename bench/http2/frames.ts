/** HTTP/2 frames as the generator needs them: types, flags and the nine-byte header (RFC 9113, sections 4.1 and 6). */

export const frameHeaderBytes = 9;
/** The largest payload we send and allow: the protocol's default, never raised by us (RFC 9113, section 6.5.2). */
export const framePayloadBytesMax = 16_384;
export const windowBytesMax = 0x7fff_ffff;
export const windowBytesDefault = 65_535;

export const frameType = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
} as const;

export const flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const setting = { headerTableBytes: 1, enablePush: 2, maxConcurrentStreams: 3, initialWindowBytes: 4 } as const;

/** What a client says first: the preface, our SETTINGS (no push, widest stream windows), and the widest connection window. */
export function clientPreface(): Buffer {
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
  const frames = Buffer.alloc(frameHeaderBytes + 12 + frameHeaderBytes + 4);
  let at = writeFrameHeader(frames, 0, 12, frameType.settings, 0, 0);
  at = frames.writeUInt16BE(setting.enablePush, at);
  at = frames.writeUInt32BE(0, at);
  at = frames.writeUInt16BE(setting.initialWindowBytes, at);
  at = frames.writeUInt32BE(windowBytesMax, at);
  writeWindowUpdate(frames, at, 0, windowBytesMax - windowBytesDefault);
  return Buffer.concat([preface, frames]);
}

/** Writes a frame's header at `at` and returns where its payload begins. */
export function writeFrameHeader(
  out: Buffer,
  at: number,
  payloadBytes: number,
  type: number,
  flags: number,
  stream: number,
): number {
  out[at] = payloadBytes >>> 16;
  out[at + 1] = payloadBytes >>> 8;
  out[at + 2] = payloadBytes;
  out[at + 3] = type;
  out[at + 4] = flags;
  out[at + 5] = stream >>> 24;
  out[at + 6] = stream >>> 16;
  out[at + 7] = stream >>> 8;
  out[at + 8] = stream;
  return at + frameHeaderBytes;
}

/** Writes a WINDOW_UPDATE frame and returns its end. */
export function writeWindowUpdate(out: Buffer, at: number, stream: number, bytes: number): number {
  return out.writeUInt32BE(bytes, writeFrameHeader(out, at, 4, frameType.windowUpdate, 0, stream));
}
