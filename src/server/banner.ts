import { formatBytes } from '../base/byte-size.ts';
import type { Started } from './server.ts';

/** What a person wants to know first: where it listens, where the data is, and how to use it. */
export function banner(started: Started, version: string): string {
  const endpoint = reachable(started.listening[0] ?? '');
  const http = started.listening.map(reachable).find((url) => /^https?:/.test(url));
  const tls = endpoint.includes('s://') ? ' --cacert=<ca.crt>' : '';
  const rows: (readonly [string, string])[] = [
    ['listening', started.listening.join('  ')],
    ['data', started.store],
    ['revision', `${started.revision} (${started.keys} keys, ${formatBytes(started.totalBytes)})`],
    ['etcdctl', `etcdctl --endpoints=${endpoint}${tls} put hello world`],
    ['kube-apiserver', `--etcd-servers=${endpoint}`],
    ['health, metrics', http === undefined ? 'on the same socket' : `${http}/readyz  ${http}/metrics`],
    ['stop', 'Ctrl-C or SIGTERM'],
  ];
  const lines = rows.map(([name, value]) => `  ${name.padEnd(17)}${value}`);
  return [`kedge ${version}, an etcd v3 server`, ...lines].join('\n');
}

/** "All addresses" is nothing that a client can connect to; this machine's loopback is one of them. */
function reachable(url: string): string {
  return url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}
