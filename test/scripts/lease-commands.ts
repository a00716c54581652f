import type { EtcdClient } from '../support/client.ts';
import { splitFirst } from './kv-commands.ts';
import { showHeader } from './show.ts';
import { showBytes } from './words.ts';

/**
 * lease grant ID TTL | revoke ID | keepalive ID | ttl ID [keys] | list | expired ID
 *
 * `ttl` prints the seconds left only as "left" or "none": they depend on the moment. `expired` waits until the lease is gone.
 */
export async function lease(client: EtcdClient, text: string): Promise<string[]> {
  const [verb, rest] = splitFirst(text);
  const [id = '0', more] = rest.split(' ');
  switch (verb) {
    case 'grant': {
      const answer = await client.call('Lease/LeaseGrant', { ID: id, TTL: more ?? 0 });
      const given = id === '0' ? (answer.ID === '0' ? 'no id' : 'an id') : `id ${answer.ID}`;
      return [
        `${showHeader(answer.header)} ${given} ttl ${answer.TTL}${answer.error === '' ? '' : ` error ${answer.error}`}`,
      ];
    }
    case 'revoke':
      return [showHeader((await client.call('Lease/LeaseRevoke', { ID: id })).header)];
    case 'keepalive': {
      const stream = client.stream('Lease/LeaseKeepAlive');
      stream.send({ ID: id });
      const answer = await stream.take().finally(() => stream.halfClose());
      return [`${showHeader(answer.header)} id ${answer.ID} ttl ${answer.TTL}`];
    }
    case 'ttl': {
      const answer = await client.call('Lease/LeaseTimeToLive', { ID: id, keys: more === 'keys' });
      const left = Number(answer.TTL) > 0 ? 'left' : answer.TTL;
      const keys = answer.keys.map((key) => ` ${showBytes(key)}`).sort();
      return [`${showHeader(answer.header)} id ${answer.ID} ttl ${left} granted ${answer.grantedTTL}${keys.join('')}`];
    }
    case 'list': {
      const answer = await client.call('Lease/LeaseLeases', {});
      const ids = answer.leases.map((status) => BigInt(status.ID)).sort((a, b) => (a < b ? -1 : 1));
      return [`${showHeader(answer.header)} leases ${ids.join(' ') || 'none'}`];
    }
    case 'expired':
      while ((await client.call('Lease/LeaseTimeToLive', { ID: id })).TTL !== '-1') {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return [];
    default:
      throw new Error(`no lease command ${verb}`);
  }
}
