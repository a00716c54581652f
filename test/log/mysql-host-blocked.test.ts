import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { MysqlLog } from '../../src/log/mysql/mysql-log.ts';
import { parseMysqlUrl } from '../../src/log/mysql/options.ts';
import { hasMariadb, MariadbServer } from '../support/mariadb.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

/*
 * A server counts connections of a host that come to nothing, and shuts the host out when there are too many in a row
 * (max_connect_errors, 100 unless it is told otherwise). A bad wire or a port scanner can bring that about, and only the
 * server's owner can undo it, so kedge must say so. 127.0.0.1 is exempt, the loopback's other addresses are not.
 */
const HOST = '127.0.0.2';

describe.skipIf(!hasMariadb())('a MariaDB that has shut this host out', () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  it('is told of with the remedy, and taken up again after it', async () => {
    const server = await MariadbServer.start();
    closing.push(() => server.dispose());
    const [limit] = await server.query('SELECT @@max_connect_errors');
    expect(limit).toEqual([100]);
    await server.query(`CREATE USER root@'${HOST}'`);
    await server.query(`GRANT ALL ON *.* TO root@'${HOST}'`);
    const proxy = await TcpProxy.start(server.port, '127.0.0.1', HOST);
    closing.push(() => proxy.stop());
    const url = server.url(server.freshDatabase(), '?pool_wait=500ms&connect_timeout=1s', proxy.port);
    const running = new MysqlLog(parseMysqlUrl(url));
    closing.push(() => running.close());
    await running.open();

    for (let i = 0; i < 101; i += 1) await breakHandshake(proxy.port);
    const refused = new MysqlLog(parseMysqlUrl(url));
    await expect(refused.open()).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/has shut this host out .*FLUSH HOSTS.*max_connect_errors/),
    });
    // What is open already goes on, until it needs a new connection.
    expect(await running.head()).toBe(1);
    for (const [id] of await server.query(
      'SELECT id FROM information_schema.processlist WHERE host LIKE "127.0.0.2%"',
    )) {
      await server.query(`KILL ${String(id)}`);
    }
    await expect(until(() => running.head())).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('FLUSH HOSTS'),
    });
    expect((await running.health()).problem).toContain('FLUSH HOSTS');

    await server.query('FLUSH HOSTS');
    for (let i = 0; (await running.head().catch(() => 0)) !== 1; i += 1) {
      if (i > 200) throw new Error('it is not taken up again');
      await pause(100);
    }
    const late = new MysqlLog(parseMysqlUrl(url));
    closing.push(() => late.close());
    await late.open();
  }, 120_000);
});

/** Asks until it fails: the connections may not have noticed yet. */
async function until(ask: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < 50; i += 1) {
    await ask();
    await pause(50);
  }
}

/** Connects, is greeted, and goes without a word. */
async function breakHandshake(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'data');
  socket.resetAndDestroy();
  await once(socket, 'close');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
