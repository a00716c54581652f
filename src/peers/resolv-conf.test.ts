import { expect, it } from 'vitest';
import { parseResolvConf, readResolvConf } from './resolv-conf.ts';

it('reads what Kubernetes writes into a pod', () => {
  const text =
    'search kube-system.svc.cluster.local svc.cluster.local cluster.local.\nnameserver 10.96.0.10\noptions ndots:5\n';
  expect(parseResolvConf(text)).toEqual({
    servers: [{ ip: '10.96.0.10', port: 53 }],
    search: ['kube-system.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
  });
});

it('reads comments, IPv6, and no more than three servers', () => {
  const text =
    '# by hand\nnameserver 2001:DB8::1 ; first\nnameserver nonsense\nnameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n';
  expect(parseResolvConf(text).servers.map(({ ip }) => ip)).toEqual(['2001:db8::1', '1.1.1.1', '2.2.2.2']);
});

it('asks this machine when there is nothing to go by', async () => {
  expect(parseResolvConf('').servers).toEqual([{ ip: '127.0.0.1', port: 53 }]);
  expect((await readResolvConf('/nonexistent/resolv.conf')).servers).toEqual([{ ip: '127.0.0.1', port: 53 }]);
});
