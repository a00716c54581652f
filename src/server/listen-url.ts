import { isIP } from 'node:net';
import type { OptionKind } from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';

/** A place to listen: a TCP address, or a Unix socket's path; with TLS (`https`, `unixs`) or without. */
export type ListenUrl =
  | { readonly kind: 'tcp'; readonly tls: boolean; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly tls: boolean; readonly path: string };

/** `http://127.0.0.1:2379`, `https://[::1]:0`, `unix:///run/kedge.sock`. Names other than localhost are refused, as by etcd. */
export const listenUrl: OptionKind<ListenUrl> = {
  placeholder: 'url',
  parse(written) {
    const unix = /^unix(s?):\/\/(.+)$/.exec(written);
    if (unix?.[2] !== undefined) return { kind: 'unix', tls: unix[1] === 's', path: unix[2] };
    let url: URL;
    try {
      url = new URL(written);
    } catch {
      throw new UsageError('a URL such as http://127.0.0.1:2379 or unix:///run/kedge.sock');
    }
    const tls = url.protocol === 'https:';
    if (!tls && url.protocol !== 'http:') throw new UsageError('an http://, https://, unix:// or unixs:// URL');
    if ((url.pathname !== '/' && url.pathname !== '') || url.search !== '')
      throw new UsageError('a URL without a path');
    const host = url.hostname.replace(/^\[|\]$/g, '');
    if (host !== 'localhost' && isIP(host) === 0) {
      throw new UsageError('an address of this machine: an IP address or localhost, as etcd wants it');
    }
    const defaultPort = tls ? 443 : 80;
    if (url.port === '' && !written.replace(/\/$/, '').endsWith(`:${defaultPort}`)) {
      throw new UsageError('a URL with a port');
    }
    return { kind: 'tcp', tls, host, port: url.port === '' ? defaultPort : Number(url.port) };
  },
  format: formatListenUrl,
};

export function formatListenUrl(url: ListenUrl): string {
  const s = url.tls ? 's' : '';
  if (url.kind === 'unix') return `unix${s}://${url.path}`;
  return `http${s}://${url.host.includes(':') ? `[${url.host}]` : url.host}:${url.port}`;
}

/** Whether only this machine can reach it. */
export function isLoopback(url: ListenUrl): boolean {
  return url.kind === 'unix' || url.host === 'localhost' || url.host === '::1' || url.host.startsWith('127.');
}
