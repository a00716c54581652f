import { gunzip } from 'node:zlib';
import { Status, StatusError } from './grpc.ts';

/**
 * Inflates off the main thread, and stops at `bytesMax`: a small bomb stays small. Rejects with a StatusError in
 * grpc-go's words.
 */
export function gunzipBounded(bytes: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // zlib refuses a limit of 0.
    gunzip(bytes, { maxOutputLength: Math.max(bytesMax, 1) }, (error, plain) => {
      if (error === null) {
        resolve(plain);
        return;
      }
      const isTooLarge = 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
      const text = isTooLarge
        ? `grpc: received message after decompression larger than max ${bytesMax}`
        : `grpc: failed to decompress the received message: ${error.message}`;
      reject(new StatusError(isTooLarge ? Status.resourceExhausted : Status.internal, text, { cause: error }));
    });
  });
}
