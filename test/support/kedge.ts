import { join } from 'node:path';
import { freePort } from './ports.ts';
import { kedgeFile } from './project.ts';
import { ServerProcess } from './server-process.ts';
import { temporaryFolder } from './temporary.ts';

export interface KedgeOptions {
  /** Default: a fresh temporary folder. */
  readonly dataDir?: string;
  readonly port?: number;
  /** Where it listens; 127.0.0.1 by default. */
  readonly host?: string;
  /** Before the command, such as what runs it in a namespace of its own. It must end up as the same process. */
  readonly prefix?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** More flags of `kedge serve`. */
  readonly args?: readonly string[];
  /** Flags of node itself. */
  readonly nodeArgs?: readonly string[];
}

/** Starts the compiled kedge as its users do, and waits until it serves. */
export async function startKedge(options: KedgeOptions = {}): Promise<ServerProcess> {
  const port = options.port ?? (await freePort());
  const host = options.host ?? '127.0.0.1';
  const ownFolder = options.dataDir === undefined ? temporaryFolder('data') : undefined;
  const server = new ServerProcess(
    [
      ...(options.prefix ?? []),
      process.execPath,
      ...(options.nodeArgs ?? []),
      kedgeFile,
      'serve',
      `--data-dir=${options.dataDir ?? join(ownFolder ?? '', 'data')}`,
      `--listen-client-urls=http://${host}:${port}`,
      `--advertise-client-urls=http://${host}:${port}`,
      ...(host === '127.0.0.1' ? [] : ['--allow-insecure-listen']),
      ...(options.args ?? []),
    ],
    port,
    options.environment ?? {},
    ownFolder,
    host,
  );
  await server.ready();
  return server;
}
