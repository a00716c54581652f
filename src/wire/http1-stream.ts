import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpStreamHandler, HttpStreamOpener } from './http.ts';

/** An HTTP/1.1 request whose body and answer are streams. `onError`: the handler threw. */
export function openHttp1Stream(
  request: IncomingMessage,
  response: ServerResponse,
  opener: HttpStreamOpener,
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
        // What the client still sends is of no use: the connection cannot be used again.
        if (!request.complete) response.shouldKeepAlive = false;
        response.end(() => {
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
