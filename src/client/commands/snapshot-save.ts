import type { Command } from '../../base/command.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import { badArguments, ClientExit, ExitError } from '../exit-error.ts';
import { humanBytes } from '../format/human-bytes.ts';
import type { ClientHost } from '../host.ts';
import { RpcError } from '../rpc-error.ts';
import { downloadSnapshot } from '../snapshot-download.ts';

const DETAILS = `The copy is of one moment, taken while the server goes on serving. It is checked by its digest, written durably, and
has its name only when it is whole. Takes as long as it takes, unless --command-timeout is given.

Examples:
  kedge snapshot save backup.db
  kedge snapshot save backup.db --endpoints https://10.0.0.1:2379 --cacert ca.crt
  kedge snapshot status backup.db
  kedge snapshot restore backup.db --data-dir new-data`;

/** `kedge snapshot save`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'snapshot save',
      summary: 'write a copy of a running store into a file',
      operands: [{ name: 'filename', help: 'the file; replaced when it is there', required: true }],
      options: {},
      details: DETAILS,
      run: save,
    }),
  ];
}

async function save(call: ClientCall): Promise<void> {
  const { host, operands, options, written } = call;
  const [path] = operands;
  if (path === undefined || operands.length !== 1) throw badArguments('snapshot save expects one argument');
  if (options.endpoints.length !== 1) {
    const listed = options.endpoints.join(' ');
    throw new ExitError(
      ClientExit.interrupted,
      `snapshot must be requested to one selected node, not multiple [${listed}]`,
    );
  }
  const timeoutMs = written.has('command-timeout') ? options.commandTimeout : Number.POSITIVE_INFINITY;
  const connection = await call.connect();
  let shown = 0;
  const onProgress = (bytes: number, remaining: number) => {
    // A line that is written over, a hundred times at most.
    const percent = Math.floor((bytes * 100) / Math.max(bytes + remaining, 1));
    if (!host.isTerminal || percent === shown) return;
    shown = percent;
    host.err(`\r${percent} % of ${humanBytes(bytes + remaining)}${remaining === 0 ? '\r\x1b[K' : ''}`);
  };
  try {
    await downloadSnapshot(connection, path, timeoutMs, onProgress);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    throw new ExitError(ClientExit.interrupted, error.message, { cause: error });
  }
  host.out(`Snapshot saved at ${path}\n`);
}
