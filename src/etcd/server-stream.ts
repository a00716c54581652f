import { ProtobufError, Reader } from '../base/protobuf.ts';
import { Status, StatusError, type StreamCall, type StreamHandler, type StreamMethod } from '../wire/grpc.ts';
import { translated, undecodableInStream } from './errors.ts';
import type { OpenStreams } from './open-streams.ts';

/** Sends messages of one call. */
export interface MessageSink {
  readonly call: StreamCall;
  /** True: the call is over, nobody listens any more. */
  readonly closed: boolean;
  /** Sends one message (copied) and waits while the client does not keep up. Answers false when the call is over. */
  send(message: Uint8Array): Promise<boolean>;
  /** Resolves when the call is over. */
  untilClosed(): Promise<void>;
}

/**
 * A method that takes one message and sends many. `decode` reads the request synchronously; `run` then sends, and
 * what it throws ends the call. When the call is over before `run` is, `send` says so, and run is to return.
 * `open`: for calls without an end of their own.
 */
export function serverStream<Request>(
  decode: (reader: Reader) => Request,
  run: (request: Request, sink: MessageSink) => Promise<void>,
  open?: OpenStreams,
): StreamMethod {
  return {
    kind: 'stream',
    shape: 'server_stream',
    open(call) {
      open?.add(call);
      return new ServerStream(call, decode, run, open);
    },
  };
}

class ServerStream<Request> implements StreamHandler, MessageSink {
  readonly call: StreamCall;
  private readonly decode: (reader: Reader) => Request;
  private readonly run: (request: Request, sink: MessageSink) => Promise<void>;
  private readonly open: OpenStreams | undefined;
  private over = false;
  private started = false;
  private onRoom: (() => void) | undefined;
  private onOver: (() => void) | undefined;

  constructor(
    call: StreamCall,
    decode: (reader: Reader) => Request,
    run: (request: Request, sink: MessageSink) => Promise<void>,
    open: OpenStreams | undefined,
  ) {
    this.call = call;
    this.open = open;
    this.decode = decode;
    this.run = run;
  }

  get closed(): boolean {
    return this.over;
  }

  async send(message: Uint8Array): Promise<boolean> {
    if (this.over) return false;
    if (!this.call.send(message)) {
      await new Promise<void>((resolve) => {
        this.onRoom = resolve;
      });
    }
    return !this.over;
  }

  async untilClosed(): Promise<void> {
    if (this.over) return;
    await new Promise<void>((resolve) => {
      this.onOver = resolve;
    });
  }

  /** The promise is that of the whole answer: what it is rejected with, the wire tells the client and reports. */
  async onMessage(bytes: Uint8Array): Promise<void> {
    if (this.started)
      throw new StatusError(Status.internal, 'cardinality violation: received multiple request messages');
    this.started = true;
    try {
      await this.run(this.decode(new Reader(bytes)), this);
    } catch (error) {
      throw error instanceof ProtobufError ? undecodableInStream(error) : translated(error);
    }
    this.call.end();
  }

  onHalfClose(): void {
    if (this.started) return;
    this.call.end(new StatusError(Status.internal, 'cardinality violation: received no request message'));
  }

  onDrain(): void {
    this.wake();
  }

  onClose(): void {
    this.over = true;
    this.open?.delete(this.call);
    this.wake();
    this.onOver?.();
  }

  private wake(): void {
    const wake = this.onRoom;
    this.onRoom = undefined;
    wake?.();
  }
}
