const UNESCAPED = /^[\x20-\x24\x26-\x7e]*$/;

/**
 * Percent-encodes a status message for the `grpc-message` trailer: printable ASCII but `%` stays, any other byte of
 * its UTF-8 becomes %XX. At most `bytesMax` octets come out, whole escapes only.
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
 */
export function encodeStatusMessage(message: string, bytesMax: number): string {
  if (message.length <= bytesMax && UNESCAPED.test(message)) return message;
  let text = '';
  for (const byte of Buffer.from(message, 'utf8')) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    const piece = plain ? String.fromCharCode(byte) : `%${byte < 16 ? '0' : ''}${byte.toString(16).toUpperCase()}`;
    if (text.length + piece.length > bytesMax) break;
    text += piece;
  }
  return text;
}
