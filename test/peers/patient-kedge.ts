import { kedgeFile } from '../support/project.ts';
import { ServerProcess } from '../support/server-process.ts';

/** Starts a kedge and waits until it serves, for as long as that takes where many start on few cores. */
export async function startPatiently(
  dataDir: string,
  port: number,
  flags: readonly string[],
  ownFolder?: string,
): Promise<ServerProcess> {
  const url = `http://127.0.0.1:${port}`;
  const urls = [`--listen-client-urls=${url}`, `--advertise-client-urls=${url}`];
  const command = [process.execPath, kedgeFile, 'serve', `--data-dir=${dataDir}`, ...urls, ...flags];
  const server = new ServerProcess(command, port, {}, ownFolder);
  await server.ready(120_000);
  return server;
}
