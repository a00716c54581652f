const IDS = 1024;

/** The last streams of a connection that ended before their request did: frames may still be on their way. */
export class ResetMemory {
  #ids: Uint32Array | undefined = undefined;
  #next = 0;

  add(id: number): void {
    this.#ids ??= new Uint32Array(IDS);
    this.#ids[this.#next] = id;
    this.#next = (this.#next + 1) % IDS;
  }

  has(id: number): boolean {
    return this.#ids?.includes(id) ?? false;
  }
}
