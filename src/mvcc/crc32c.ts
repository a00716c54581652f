/** CRC-32C (Castagnoli, reflected), eight bytes a step. Source of the polynomial: RFC 3720, appendix B.4. */
const POLYNOMIAL = 0x82f63b78;

const TABLES = makeTables();

/** A running CRC-32C. */
export class Crc32c {
  #state = 0xffffffff;

  update(bytes: Uint8Array): void {
    let crc = this.#state;
    const whole = bytes.length & ~7;
    let i = 0;
    for (; i < whole; i += 8) {
      const low = crc ^ word(bytes, i);
      crc =
        entry(7, low & 0xff) ^
        entry(6, (low >>> 8) & 0xff) ^
        entry(5, (low >>> 16) & 0xff) ^
        entry(4, low >>> 24) ^
        entry(3, bytes[i + 4] ?? 0) ^
        entry(2, bytes[i + 5] ?? 0) ^
        entry(1, bytes[i + 6] ?? 0) ^
        entry(0, bytes[i + 7] ?? 0);
    }
    for (; i < bytes.length; i += 1) crc = entry(0, (crc ^ (bytes[i] ?? 0)) & 0xff) ^ (crc >>> 8);
    this.#state = crc;
  }

  /** Unsigned. */
  get value(): number {
    return (this.#state ^ 0xffffffff) >>> 0;
  }
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
}

function entry(table: number, byte: number): number {
  return TABLES[table * 256 + byte] ?? 0;
}

/** tables[k][b]: what byte b does when k zero bytes follow it. */
function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i += 1) {
    const shorter = tables[i - 256] ?? 0;
    tables[i] = (tables[shorter & 0xff] ?? 0) ^ (shorter >>> 8);
  }
  return tables;
}
