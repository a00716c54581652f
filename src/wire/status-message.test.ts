import { expect, it } from 'vitest';
import { encodeStatusMessage } from './status-message.ts';

it('printable ASCII but % stays; every other byte of UTF-8 is escaped', () => {
  expect(encodeStatusMessage('etcdserver: key not found', 1000)).toBe('etcdserver: key not found');
  expect(encodeStatusMessage('100%', 1000)).toBe('100%25');
  expect(encodeStatusMessage('a\nb\u00e9\u{1f600}~\x7f', 1000)).toBe('a%0Ab%C3%A9%F0%9F%98%80~%7F');
});

it('cuts at whole escapes', () => {
  expect(encodeStatusMessage('x'.repeat(20), 10)).toBe('x'.repeat(10));
  expect(encodeStatusMessage('ab\u00e9', 7)).toBe('ab%C3');
  expect(encodeStatusMessage('ab\u00e9', 8)).toBe('ab%C3%A9');
});
