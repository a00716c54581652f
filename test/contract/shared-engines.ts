import { hasMariadb, MariadbServer } from '../support/mariadb.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';

/** A database server for a suite that every shared engine must pass. */
export interface SharedServer {
  /** Of a store of its own, which is not there yet. */
  freshUrl(): string;
  /** Of a store on another port of this machine; `parameters` begins with a question mark. */
  urlAt(port: number, parameters: string): string;
  dispose(): Promise<void>;
}

/** Every engine in a database. `describe.each(SHARED_ENGINES)`, and skip what is not there. */
export const SHARED_ENGINES: readonly {
  readonly name: string;
  readonly isThere: boolean;
  start(): Promise<SharedServer>;
}[] = [
  {
    name: 'PostgreSQL',
    isThere: hasPostgres(),
    start: async () => {
      const server = await PostgresServer.start();
      return {
        freshUrl: () => server.url('stores', `?${server.freshSchema()}`),
        urlAt: (port, parameters) => `postgres://kedge@127.0.0.1:${port}/stores${parameters}`,
        dispose: () => server.dispose(),
      };
    },
  },
  {
    name: 'MariaDB',
    isThere: hasMariadb(),
    start: async () => {
      const server = await MariadbServer.start();
      return {
        freshUrl: () => server.url(server.freshDatabase()),
        urlAt: (port, parameters) => server.url('stores', parameters, port),
        dispose: () => server.dispose(),
      };
    },
  },
];
