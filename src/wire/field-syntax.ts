/** What field names and values may hold in HTTP/2 (RFC 9113, section 8.2.1). One character per octet. */

/** Lower case, printable, no blank; a colon only in front, where it makes a pseudo-header. */
export function isFieldName(name: string): boolean {
  if (name.length === 0) return false;
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i);
    if (c <= 0x20 || c >= 0x7f || (c === 0x3a && i > 0) || (c >= 0x41 && c <= 0x5a)) return false;
  }
  return true;
}

/** No NUL, CR, LF; no blank at either end. */
export function isFieldValue(value: string): boolean {
  const last = value.length - 1;
  if (last < 0) return true;
  for (let i = 0; i <= last; i++) {
    const c = value.charCodeAt(i);
    if (c <= 0x0d && (c === 0 || c === 0x0a || c === 0x0d)) return false;
  }
  const head = value.charCodeAt(0);
  const tail = value.charCodeAt(last);
  return head !== 0x20 && head !== 0x09 && tail !== 0x20 && tail !== 0x09;
}
