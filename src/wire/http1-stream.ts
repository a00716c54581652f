import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../base/clock.ts';
import type { HttpStreamHandler, HttpStreamOpener } from './http.ts';

/** A client whose answer is complete may go on sending for so long. */
const LINGER_MS = 1000;

/** An HTTP/1.1 request whose body and answer are streams. `onError`: the handler threw. */
export function openHttp1Stream(
  request: IncomingMessage,
  response: ServerResponse,
  opener: HttpStreamOpener,
  clock: Clock,
  onError: (error: unknown) => void,
): void {
  let handler: HttpStreamHandler | undefined;
  let isOver = false;
  /** The handler's promise to take the piece before; the end of a paused request is told all the same. */
  let taken: Promise<void> | undefined;
  const guarded = (act: () => void): void => {
    try {
      act();
    } catch (error) {
      onError(error);
    }
  };
  request.on('error', () => request.destroy());
  response.on('error', () => request.destroy());
  response.on('close', () => {
    isOver = true;
    guarded(() => handler?.onClose());
  });
  guarded(() => {
    handler = opener({
      begin(status, headers) {
        if (isOver || response.headersSent) return;
        response.writeHead(status, headers);
        response.flushHeaders();
      },
      write: (bytes) => !isOver && response.write(bytes),
      end() {
        if (isOver || response.writableEnded) return;
        response.end();
        // What the client still sends is passed over; cut off at once it might not read the answer.
        clock.after(LINGER_MS, () => {
          if (!request.complete) request.destroy();
        });
      },
    });
  });
  response.on('drain', () => guarded(() => handler?.onDrain()));
  request.on('data', (piece: Buffer) =>
    guarded(() => {
      const busy = handler?.onData(piece);
      if (busy === undefined) return;
      request.pause();
      taken = busy.then(() => {
        taken = undefined;
        request.resume();
      }, onError);
    }),
  );
  const onEnd = (): void => guarded(() => handler?.onEnd());
  request.on('end', () => {
    if (taken === undefined) onEnd();
    else void taken.then(onEnd);
  });
}
