import { hasMariadb, MariadbServer } from '../support/mariadb.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';

/** Where a database is reached, such as at a proxy. */
export interface Way {
  readonly host: string;
  readonly port: number;
}

/** A real database server that several kedges share, and what can happen to it. */
export interface Database {
  readonly name: string;
  /** For a kedge; each time the same store. By a way of its own when one is given. */
  url(through?: Way): string;
  /** Where the server listens, on 127.0.0.1. */
  readonly port: number;
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
    port: server.port,
    url: ({ host, port } = server) => `postgres://kedge@${host}:${port}/${database}?sslmode=disable`,
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
    port: server.port,
    url: ({ host, port } = server) => `mysql://root@${host}:${port}/${database}?tls=off`,
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
