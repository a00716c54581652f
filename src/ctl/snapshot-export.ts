import { dirname, resolve } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { type Command, ExitCode, type Invocation } from '../base/command.ts';
import { choice, flag, option, text } from '../base/options.ts';
import { STORE_LOCATION, storeUrlOf } from '../server/store-location.ts';
import { ETCD_ACCESS } from './etcd-access.ts';

const GROUP = 'Exporting';

const OPTIONS = {
  format: option(choice('etcd'), {
    flag: 'format',
    default: 'etcd',
    group: GROUP,
    help: 'what the file shall be: a snapshot that "etcdutl snapshot restore" takes',
  }),
  from: option(text('source'), {
    flag: 'from',
    default: '',
    defaultText: 'the store',
    group: GROUP,
    help: 'instead of a store that is stopped: http(s)://… of one that runs, or a snapshot file',
  }),
  history: option(flag, {
    flag: 'history',
    default: true,
    group: GROUP,
    help: 'with every revision since the last compaction; HashKV stays the same',
  }),
  skipHashCheck: option(flag, {
    flag: 'skip-hash-check',
    default: false,
    group: GROUP,
    help: 'take a snapshot file without a digest',
  }),
  ...STORE_LOCATION,
  ...ETCD_ACCESS,
};

/** `kedge snapshot export <file>`: the way back to etcd. */
export function snapshotExportCommand(clock: Clock, print: (line: string) => void): Command<typeof OPTIONS> {
  return {
    name: 'snapshot export',
    summary: 'write a snapshot that a real etcd is restored from',
    operands: [{ name: 'file', help: 'the file to write; it must not be there', required: true }],
    options: OPTIONS,
    details: `Examples:
  kedge snapshot export etcd.db --from http://127.0.0.1:2379     of a kedge that runs
  kedge snapshot export etcd.db --data-dir kedge-data            of one that is stopped
  etcdutl snapshot restore etcd.db --data-dir etcd-data
  etcd --data-dir etcd-data`,
    run: (invocation) => run(invocation, clock, print),
  };
}

async function run(
  { options, operands }: Invocation<typeof OPTIONS>,
  clock: Clock,
  print: (line: string) => void,
): Promise<number> {
  const path = resolve(operands[0] ?? '');
  const [{ sourceFor }, { exportSnapshot }, { Progress }, { EtcdClient }] = await Promise.all([
    import('../migrate/source-for.ts'),
    import('../migrate/export-snapshot.ts'),
    import('../migrate/progress.ts'),
    import('../migrate/etcd/client.ts'),
  ]);
  const progress = new Progress(clock, print);
  const from = options.from === '' ? storeUrlOf(options) : options.from;
  const { source, client } = await sourceFor({
    from,
    connect: () => EtcdClient.connect({ ...options, endpoints: from }, clock),
    workFolder: dirname(path),
    skipHashCheck: options.skipHashCheck,
    progress,
  });
  try {
    await exportSnapshot(source, path, options.history, progress, print);
  } finally {
    await source.close();
    client?.close();
  }
  return ExitCode.ok;
}
