/** A complete message that waits, owned by us. */
export interface HeldMessage {
  readonly bytes: Uint8Array;
  readonly isCompressed: boolean;
}

/** Messages of a call that its handler does not take yet, in order. The window of the stream bounds them. */
export class HeldMessages {
  readonly #messages: HeldMessage[] = [];
  /** Memory held. */
  bytes = 0;

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** Copies the message. */
  push(message: Uint8Array, isCompressed: boolean): void {
    this.#messages.push({ bytes: Uint8Array.prototype.slice.call(message), isCompressed });
    this.bytes += message.length;
  }

  shift(): HeldMessage | undefined {
    const message = this.#messages.shift();
    if (message !== undefined) this.bytes -= message.bytes.length;
    return message;
  }
}
