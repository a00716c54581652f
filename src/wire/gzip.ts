import { gunzip } from 'node:zlib';

/** The plain message would exceed the limit. */
export class InflatedTooLargeError extends Error {
  override readonly name = 'InflatedTooLargeError';
}

/** Inflates off the main thread, and stops at `bytesMax`: a small bomb stays small. Rejects with zlib's error otherwise. */
export function gunzipBounded(bytes: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // zlib refuses a limit of 0.
    gunzip(bytes, { maxOutputLength: Math.max(bytesMax, 1) }, (error, plain) => {
      if (error === null) resolve(plain);
      else if ('code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') reject(new InflatedTooLargeError());
      else reject(error);
    });
  });
}
