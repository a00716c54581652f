/** The tables of HPACK: static (RFC 7541, appendix A) and dynamic (section 2.3.2). */

/** What an entry costs beyond its octets (RFC 7541, section 4.1). */
export const ENTRY_OVERHEAD_BYTES = 32;

/** Names and values by index, from 1; index 0 is unused. */
export const STATIC_NAMES: readonly string[] = [''];
export const STATIC_VALUES: readonly string[] = [''];

const STATIC_ENTRIES =
  ':authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204|' +
  ':status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate|' +
  'accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|' +
  'content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|' +
  'cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|' +
  'last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|' +
  'server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate';

for (const entry of STATIC_ENTRIES.split('|')) {
  const space = entry.indexOf(' ');
  (STATIC_NAMES as string[]).push(space < 0 ? entry : entry.slice(0, space));
  (STATIC_VALUES as string[]).push(space < 0 ? '' : entry.slice(space + 1));
}

/** The first index of the dynamic table. */
export const DYNAMIC_INDEX_MIN = STATIC_NAMES.length;

/** First in, first out, bounded by bytes. Strings hold one character per octet. */
export class DynamicTable {
  /** Changes whenever the content does: what was decoded under one version holds as long as the version stands. */
  version = 0;
  /** Entries. */
  length = 0;
  /** As RFC 7541 counts them. */
  bytes = 0;
  /** At most what was announced; lowered and raised again by size updates. */
  bytesMax: number;

  // A ring, made when first needed: most connections never have an entry.
  #names: string[] = [];
  #values: string[] = [];
  #wellFormed: boolean[] = [];
  #newest = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** `index` 0 is the newest; undefined when out of range. */
  name(index: number): string | undefined {
    return index < this.length ? this.#names[this.#slot(index)] : undefined;
  }

  value(index: number): string | undefined {
    return index < this.length ? this.#values[this.#slot(index)] : undefined;
  }

  /** Whether name and value were found in order when inserted, so that no reference needs to look again. */
  isWellFormed(index: number): boolean {
    return index < this.length && this.#wellFormed[this.#slot(index)] === true;
  }

  insert(name: string, value: string, isWellFormed: boolean): void {
    this.version++;
    const bytes = name.length + value.length + ENTRY_OVERHEAD_BYTES;
    this.#evict(this.bytesMax - bytes);
    if (bytes > this.bytesMax) return;
    if (this.length === this.#names.length) this.#grow();
    this.#newest = (this.#newest + 1) % this.#names.length;
    this.#names[this.#newest] = name;
    this.#values[this.#newest] = value;
    this.#wellFormed[this.#newest] = isWellFormed;
    this.length++;
    this.bytes += bytes;
  }

  /** A size update. `bytesMax` was checked against what we announced. */
  resize(bytesMax: number): void {
    this.version++;
    this.bytesMax = bytesMax;
    this.#evict(bytesMax);
  }

  #evict(bytes: number): void {
    while (this.length > 0 && this.bytes > bytes) {
      const slot = this.#slot(this.length - 1);
      const name = this.#names[slot] as string;
      const value = this.#values[slot] as string;
      this.bytes -= name.length + value.length + ENTRY_OVERHEAD_BYTES;
      this.#names[slot] = '';
      this.#values[slot] = '';
      this.length--;
    }
  }

  #slot(index: number): number {
    const slot = this.#newest - index;
    return slot < 0 ? slot + this.#names.length : slot;
  }

  #grow(): void {
    const size = Math.max(8, this.#names.length * 2);
    const names = new Array<string>(size).fill('');
    const values = new Array<string>(size).fill('');
    const wellFormed = new Array<boolean>(size).fill(false);
    for (let index = 0; index < this.length; index++) {
      names[this.length - 1 - index] = this.#names[this.#slot(index)] as string;
      values[this.length - 1 - index] = this.#values[this.#slot(index)] as string;
      wellFormed[this.length - 1 - index] = this.isWellFormed(index);
    }
    this.#names = names;
    this.#values = values;
    this.#wellFormed = wellFormed;
    this.#newest = this.length === 0 ? size - 1 : this.length - 1;
  }
}
