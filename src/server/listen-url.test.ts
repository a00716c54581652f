import { describe, expect, it } from 'vitest';
import { formatListenUrl, isLoopback, listenUrl } from './listen-url.ts';

describe('listen URLs', () => {
  it.each([
    ['http://127.0.0.1:2379', true],
    ['http://localhost:2379', true],
    ['http://[::1]:0', true],
    ['unix:///run/kedge.sock', true],
    ['http://0.0.0.0:2379', false],
    ['http://10.0.0.7:2379', false],
    ['http://[::]:2379', false],
    ['http://127.0.0.1:80', true],
    ['https://127.0.0.1:443', true],
    ['https://[::1]:2379', true],
    ['https://0.0.0.0:2379', false],
    ['unixs:///run/kedge.sock', true],
  ])('%s reads, writes back and knows whether it stays on this machine', (written, loopback) => {
    const url = listenUrl.parse(written);
    expect(formatListenUrl(url)).toBe(written);
    expect(isLoopback(url)).toBe(loopback);
  });

  it.each([
    '',
    '2379',
    '127.0.0.1:2379',
    'tcp://127.0.0.1:1',
    'http://host:2379',
    'http://127.0.0.1',
    'http://127.0.0.1:1/path',
    'http://127.0.0.1:70000',
    'unix://',
  ])('refuses "%s"', (written) => {
    expect(() => listenUrl.parse(written)).toThrow();
  });
});
