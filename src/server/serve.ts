import { systemRandom } from '../base/chance.ts';
import type { Clock } from '../base/clock.ts';
import { type Command, ExitCode, type InertFlag, type Invocation } from '../base/command.ts';
import { InvariantError } from '../base/invariant.ts';
import type { LogFields, Logger } from '../base/logger.ts';
import { banner } from './banner.ts';
import { ETCD_FLAGS } from './etcd-flags.ts';
import { openLogger } from './log-output.ts';
import { checkServeOptions, SERVE_OPTIONS } from './options.ts';
import type { Started } from './server.ts';
import { firstStopSignal, type SignalSource } from './signals.ts';

/** What serve needs of the world. */
export interface ServeContext {
  readonly clock: Clock;
  readonly process: SignalSource & DefectSource;
  readonly print: (line: string) => void;
  readonly version: string;
}

interface DefectSource {
  readonly pid: number;
  on(event: 'uncaughtException', listener: (error: Error) => void): unknown;
}

const DETAILS = `Every flag can be set by its environment variable, shown in brackets, or by etcd's own (ETCD_DATA_DIR, …);
a flag wins. Flags of etcd's that mean nothing here (--initial-cluster, --snapshot-count, …) are accepted.

Examples:
  kedge serve
  kedge serve --data-dir /var/lib/kedge --auto-compaction-retention 5m
  kedge serve --listen-client-urls http://127.0.0.1:2379,unix:///run/kedge.sock
  kedge serve --listen-client-urls https://0.0.0.0:2379 --cert-file server.crt --key-file server.key
  kedge serve --store 'sqlite:///var/lib/kedge/kedge.db?synchronous=full'`;

/** `kedge serve`: runs until a signal asks to stop. Exit codes: base/command.ts. */
export function serveCommand(context: ServeContext): Command<typeof SERVE_OPTIONS> {
  return {
    name: 'serve',
    summary: 'serve the etcd v3 API on a store',
    operands: [],
    options: SERVE_OPTIONS,
    inertFlags: ETCD_FLAGS,
    details: DETAILS,
    run: (invocation) => serve(invocation, context),
  };
}

async function serve(
  { options, inert }: Invocation<typeof SERVE_OPTIONS>,
  { clock, process, print, version }: ServeContext,
): Promise<number> {
  checkServeOptions(options);
  const logger = openLogger({ level: options.logLevel, format: options.logFormat, outputs: options.logOutputs, clock });
  // Whatever nobody caught is a defect: the state is not to be trusted any more, and all that was answered is on disk.
  process.on('uncaughtException', (error) => {
    logger.error('defect: ending', described(error));
    process.exit(ExitCode.defect);
  });
  noteInert(inert, logger);

  const stopAsked = firstStopSignal(process, logger);
  // Only now, so that `kedge --help` does not load all of it.
  const { Server } = await import('./server.ts');
  const onDefect = (where: string, error: unknown): void => {
    // A state that cannot be is not to be served from.
    if (error instanceof InvariantError) throw error;
    logger.error('defect in a handler', { where, ...described(error) });
  };
  const server = new Server({ options, clock, random: systemRandom, logger, version, onDefect });
  const started = await Promise.race([server.start(), stopAsked.then(() => undefined)]);
  // Asked to stop while loading: nothing is under way that could be waited for.
  if (started === undefined) return ExitCode.ok;

  if (options.logFormat === 'console' && !options.quiet) print(banner(started, version));
  else logServing(started, logger, { version, pid: process.pid });
  const signal = await stopAsked;
  logger.info('stopping: calls under way may finish; a second signal ends at once', { signal });
  await server.stop();
  logger.info('stopped');
  return ExitCode.ok;
}

/** The banner's facts as one line, for whoever reads logs by program. */
function logServing(started: Started, logger: Logger, fields: LogFields): void {
  const { listening, store, revision, keys } = started;
  logger.info('serving', { listen: listening.join(','), store, revision, keys, ...fields });
}

function described(error: unknown): LogFields {
  return error instanceof Error ? { reason: error.message, stack: error.stack } : { reason: String(error) };
}

/** One line for all, so that nobody believes in them. */
function noteInert(inert: readonly InertFlag[], logger: Logger): void {
  if (inert.length === 0) return;
  logger.info('flags of etcd without effect here', { flags: inert.map(({ flag }) => `--${flag}`).join(',') });
  for (const { flag, reason } of inert) logger.debug('flag without effect', { flag, reason });
}
