import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { Failure } from '../base/failure.ts';
import type { WireServer } from '../wire/server.ts';
import type { ListenUrl } from './listen-url.ts';
import { formatListenUrl } from './listen-url.ts';
import type { TlsFiles } from './tls-files.ts';

/** Listens at one place; answers where that is in the end (port 0: any free one). Failure says what is in the way. */
export async function listenAt(
  server: WireServer,
  url: ListenUrl,
  flag: string,
  tlsFiles: TlsFiles | undefined,
): Promise<ListenUrl> {
  const tls = url.tls && tlsFiles !== undefined ? { tls: tlsFiles.options, tlsHooks: tlsFiles } : {};
  if (url.tls && tlsFiles === undefined) throw new Failure(`cannot listen at ${formatListenUrl(url)}: no certificate`);
  try {
    if (url.kind === 'unix') {
      await removeDeadSocket(url.path);
      await server.listen({ path: url.path, ...tls });
      return url;
    }
    // As Go does it: of a name's addresses, the IPv4 one.
    const host = url.host === 'localhost' ? '127.0.0.1' : url.host;
    const address = await server.listen({ host, port: url.port, ...tls });
    return typeof address === 'string' ? url : { ...url, port: address.port };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Failure(`cannot listen at ${formatListenUrl(url)}: ${remedy(code, flag) ?? message}`, { cause: error });
  }
}

function remedy(code: string | undefined, flag: string): string | undefined {
  switch (code) {
    case 'EADDRINUSE':
      return `something listens there already (another etcd or kedge?); stop it, or choose another place with --${flag}`;
    case 'EACCES':
      return `this user may not; choose a port above 1023 or another path with --${flag}`;
    case 'EADDRNOTAVAIL':
      return `this machine does not have that address; choose one of its own with --${flag}`;
    case 'ENOENT':
      return `the socket's folder does not exist`;
    default:
      return undefined;
  }
}

/** A socket file that nobody answers on was left by a process that was killed. */
async function removeDeadSocket(path: string): Promise<void> {
  const code = await new Promise<string | undefined>((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  if (code === 'ECONNREFUSED') await rm(path);
}
