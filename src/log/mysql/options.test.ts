import { describe, expect, it } from 'vitest';
import { parseMysqlUrl } from './options.ts';

describe('a URL of MariaDB or MySQL', () => {
  it('names hosts, user, password, database and parameters', () => {
    expect(
      parseMysqlUrl(
        'mariadb://me:p%40ss@one,two:3307,[::1]:3308/store?tls=verify-ca&pool_max=4&pool_wait=2s&statement_timeout=20s&append=statements',
      ),
    ).toMatchObject({
      shown: expect.not.stringContaining('p%40ss'),
      user: 'me',
      password: 'p@ss',
      database: 'store',
      hosts: [
        { host: 'one', port: 3306 },
        { host: 'two', port: 3307 },
        { host: '::1', port: 3308 },
      ],
      tls: 'verify-ca',
      connectionsMax: 4,
      waitMs: 2_000,
      statementTimeoutMs: 20_000,
      append: 'statements',
    });
    expect(parseMysqlUrl('mysql://root@/x?socket=/run/mysqld/mysqld.sock')).toMatchObject({
      hosts: [],
      socketPath: '/run/mysqld/mysqld.sock',
    });
    expect(parseMysqlUrl('mysql://root@db')).toMatchObject({ database: 'kedge', append: 'auto' });
  });

  it('looks at the certificate of a server beyond this machine', () => {
    expect(parseMysqlUrl('mysql://u@localhost/x').tls).toBe('off');
    expect(parseMysqlUrl('mysql://u@db/x').tls).toBe('verify-identity');
    expect(parseMysqlUrl('mysql://u@10.0.0.1/x?tls=off').tls).toBe('off');
    expect(parseMysqlUrl('mysql://u@10.0.0.1/x?tls_ca=/ca.pem&tls=verify-ca').tls).toBe('verify-ca');
  });

  it.each([
    ['mysql://db/x', 'must name a user'],
    ['mysql://u@/x', 'must name a host, or socket='],
    ['mysql://u@db/a b', 'must be of letters'],
    ['mysql://u@db/a`b', 'must be of letters'],
    ['mysql://u@db/x?pool=3', 'unknown parameter pool'],
    ['mysql://u@db/x?pool_max=1', 'from 2 to 100'],
    ['mysql://u@db/x?append=block', 'it must be auto or statements'],
    ['mysql://u@db/x?pool_wait=3', 'a duration such as'],
    ['mysql://u:secret@db/x?password_file=/f', 'not in both'],
    ['mysql://u@db/x?tls_cert=/c', 'tls_cert and tls_key go together'],
    ['mysql://u@10.0.0.1/x', '10.0.0.1 is an address'],
    ['mysql://u@db/x?tls=off&tls_ca=/c', 'contradict'],
    ['mysql://u@10.0.0.1/x?tls_ca=/c', '10.0.0.1 is an address; name the host, or take tls=verify-ca'],
    ['mysql://u@a,b/x?socket=/s', 'goes with one host'],
    ['mysql://u@db:99999/x', 'is not a host or host:port'],
  ])('refuses %s', (url, why) => {
    expect(() => parseMysqlUrl(url)).toThrow(why);
    expect(() => parseMysqlUrl(url)).not.toThrow('secret');
  });
});
