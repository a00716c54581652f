/**
 * The open streams of a connection by their ids, which only grow. Most streams are closed soon: those are in a ring, the
 * newest with its place; who is still open when the place is wanted again (a watch) goes to the elders.
 *
 *     ids   … 31 33 35 37 39 …      ring   │ 33 │ 35 │ 37 │ 39 │      elders   7, 31
 *
 * A Map alone would do but for what it does to the garbage collector: with each so many adds and deletes a Map takes a
 * new table, to which the old one points. Once an old table has survived into V8's old generation, so does its
 * successor with all streams in it, dead or not, and the next one, until all of the heap is looked through.
 */
export class OpenStreams<S extends { readonly id: number }> {
  #ring: (S | undefined)[] = emptyRing(PLACES_MIN);
  readonly #elders = new Map<number, S>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): S | undefined {
    const stream = this.#ring[this.#placeOf(id)];
    if (stream?.id === id) return stream;
    return this.#elders.size === 0 ? undefined : this.#elders.get(id);
  }

  /** Its id is above all that were added before. */
  add(stream: S): void {
    const elder = this.#ring[this.#placeOf(stream.id)];
    if (elder !== undefined) {
      if (this.#elders.size * 2 >= this.#ring.length && this.#ring.length < PLACES_MAX) {
        this.#grow();
        this.add(stream);
        return;
      }
      this.#elders.set(elder.id, elder);
    }
    this.#ring[this.#placeOf(stream.id)] = stream;
    this.#size += 1;
  }

  delete(id: number): void {
    const place = this.#placeOf(id);
    if (this.#ring[place]?.id === id) this.#ring[place] = undefined;
    else if (!this.#elders.delete(id)) return;
    this.#size -= 1;
  }

  /** All of them as they are now, in no order. */
  all(): S[] {
    return [...this.#ring.filter((stream) => stream !== undefined), ...this.#elders.values()];
  }

  /** Those that have a place of their own keep one. */
  #grow(): void {
    const streams = this.#ring;
    this.#ring = emptyRing(streams.length * 2);
    for (const stream of streams) if (stream !== undefined) this.#ring[this.#placeOf(stream.id)] = stream;
  }

  /** Ids of one side are all odd, or all even. */
  #placeOf(id: number): number {
    return (id >>> 1) & (this.#ring.length - 1);
  }
}

function emptyRing<S>(places: number): (S | undefined)[] {
  return new Array<S | undefined>(places).fill(undefined);
}

/** Powers of two. */
const PLACES_MIN = 64;
const PLACES_MAX = 8192;
