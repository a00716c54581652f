import { hasMariadb, MariadbServer } from '../support/mariadb.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

/** A real database server that several kedges share, and what can happen to it. */
export interface Database {
  readonly name: string;
  /** For a kedge; each time the same store. Through a proxy when one is given. */
  url(through?: TcpProxy): string;
  proxy(): Promise<TcpProxy>;
  /** kill -9, and back again. */
  crash(): Promise<void>;
  restart(): Promise<void>;
  /** Holds the whole server for a while. */
  freeze(ms: number): Promise<void>;
  dispose(): Promise<void>;
}

export const DATABASES: readonly { readonly name: string; readonly isThere: boolean; start(): Promise<Database> }[] = [
  { name: 'PostgreSQL', isThere: hasPostgres(), start: startPostgres },
  { name: 'MariaDB', isThere: hasMariadb(), start: startMariadb },
];

async function startPostgres(): Promise<Database> {
  const server = await PostgresServer.start();
  const database = server.freshDatabase();
  return {
    name: 'PostgreSQL',
    url: (through) => `postgres://kedge@127.0.0.1:${through?.port ?? server.port}/${database}`,
    proxy: () => TcpProxy.start(server.port),
    async crash() {
      await server.stop('kill');
      await server.run();
    },
    async restart() {
      await server.stop();
      await server.run();
    },
    async freeze(ms) {
      server.signalAll('SIGSTOP');
      await pause(ms);
      server.signalAll('SIGCONT');
    },
    dispose: () => server.dispose(),
  };
}

async function startMariadb(): Promise<Database> {
  // Cut connections count as errors of the host, which is shut out after a hundred of them.
  const server = await MariadbServer.start({ settings: { 'max-connect-errors': '1000000' } });
  const database = server.freshDatabase();
  return {
    name: 'MariaDB',
    url: (through) => server.url(database, '', through?.port),
    proxy: () => TcpProxy.start(server.port),
    async crash() {
      await server.stop('kill');
      await server.run();
    },
    async restart() {
      await server.stop();
      await server.run();
    },
    async freeze(ms) {
      server.signal('SIGSTOP');
      await pause(ms);
      server.signal('SIGCONT');
    },
    dispose: () => server.dispose(),
  };
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
