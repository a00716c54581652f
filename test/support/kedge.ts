import { join } from 'node:path';
import { freePort } from './ports.ts';
import { distRoot } from './project.ts';
import { ServerProcess } from './server-process.ts';
import { temporaryFolder } from './temporary.ts';

export interface KedgeOptions {
  /** Default: a fresh temporary folder. */
  readonly dataDir?: string;
  readonly port?: number;
  /** More flags of `kedge serve`. */
  readonly args?: readonly string[];
  /** Flags of node itself. */
  readonly nodeArgs?: readonly string[];
}

/** Starts the compiled kedge as its users do, and waits until it serves. */
export async function startKedge(options: KedgeOptions = {}): Promise<ServerProcess> {
  const port = options.port ?? (await freePort());
  const ownFolder = options.dataDir === undefined ? temporaryFolder('data') : undefined;
  const server = new ServerProcess(
    [
      process.execPath,
      ...(options.nodeArgs ?? []),
      join(distRoot, 'src', 'main.js'),
      'serve',
      `--data-dir=${options.dataDir ?? join(ownFolder ?? '', 'data')}`,
      `--listen-client-urls=http://127.0.0.1:${port}`,
      `--advertise-client-urls=http://127.0.0.1:${port}`,
      ...(options.args ?? []),
    ],
    port,
    {},
    ownFolder,
  );
  await server.ready();
  return server;
}
