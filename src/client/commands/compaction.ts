import type { Command } from '../../base/command.ts';
import { flag, option } from '../../base/options.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import { badArguments, ClientExit, ExitError } from '../exit-error.ts';
import { parseInt64Number } from '../format/go-integer.ts';
import type { ClientHost } from '../host.ts';
import { KvMethod } from '../kv-methods.ts';

const COMPACTION_OPTIONS = {
  physical: option(flag, {
    flag: 'physical',
    default: false,
    group: 'How long it takes',
    fromEnvironment: false,
    help: 'wait until what is dropped is gone from the disk, too',
  }),
} as const;

const DETAILS = `Drops what is older than a revision: it can no longer be read or watched. What is there now stays.

Examples:
  kedge compaction 1000
  kedge get x -w json | jq .header.revision      which revision it is now`;

/** `kedge compaction`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'compaction',
      summary: 'drop the history before a revision',
      operands: [{ name: 'revision', help: 'the first that is kept', required: true }],
      options: COMPACTION_OPTIONS,
      details: DETAILS,
      run: compact,
    }),
  ];
}

async function compact(call: ClientCall<typeof COMPACTION_OPTIONS>): Promise<void> {
  const { host, options, operands } = call;
  const [written] = operands;
  if (written === undefined || operands.length !== 1) throw badArguments('compaction command needs 1 argument');
  const revision = revisionOf(written);
  const connection = await call.connect();
  await connection.call(KvMethod.compact, { revision, physical: options.physical });
  host.out(`compacted revision ${revision}\n`);
}

function revisionOf(written: string): number {
  try {
    return parseInt64Number(written);
  } catch (error) {
    throw new ExitError(ClientExit.error, (error as Error).message);
  }
}
