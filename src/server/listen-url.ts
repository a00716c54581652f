import { isIP } from 'node:net';
import type { OptionKind } from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';

/** A place to listen: a TCP address, or a Unix socket's path. */
export type ListenUrl =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** `http://127.0.0.1:2379`, `http://[::1]:0`, `unix:///run/kedge.sock`. Names other than localhost are refused, as by etcd. */
export const listenUrl: OptionKind<ListenUrl> = {
  placeholder: 'url',
  parse(written) {
    const unix = /^unixs?:\/\/(.+)$/.exec(written);
    if (unix?.[1] !== undefined) return { kind: 'unix', path: unix[1] };
    let url: URL;
    try {
      url = new URL(written);
    } catch {
      throw new UsageError('a URL such as http://127.0.0.1:2379 or unix:///run/kedge.sock');
    }
    if (url.protocol === 'https:')
      throw new UsageError('possible: kedge does not speak TLS yet; use http:// on loopback');
    if (url.protocol !== 'http:') throw new UsageError('an http:// or unix:// URL');
    if ((url.pathname !== '/' && url.pathname !== '') || url.search !== '')
      throw new UsageError('a URL without a path');
    const host = url.hostname.replace(/^\[|\]$/g, '');
    if (host !== 'localhost' && isIP(host) === 0) {
      throw new UsageError('an address of this machine: an IP address or localhost, as etcd wants it');
    }
    if (url.port === '' && !/:80\/?$/.test(written)) throw new UsageError('a URL with a port');
    return { kind: 'tcp', host, port: url.port === '' ? 80 : Number(url.port) };
  },
  format: formatListenUrl,
};

export function formatListenUrl(url: ListenUrl): string {
  if (url.kind === 'unix') return `unix://${url.path}`;
  return `http://${url.host.includes(':') ? `[${url.host}]` : url.host}:${url.port}`;
}

/** Whether only this machine can reach it. */
export function isLoopback(url: ListenUrl): boolean {
  return url.kind === 'unix' || url.host === 'localhost' || url.host === '::1' || url.host.startsWith('127.');
}
