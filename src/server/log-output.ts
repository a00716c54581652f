import pino from 'pino';
import type { Clock } from '../base/clock.ts';
import type { LogFields, Logger } from '../base/logger.ts';
import { UsageError } from '../base/usage-error.ts';
import { LIMITS } from './limits.ts';

/**
 * Where log lines go, and how they look.
 *
 *     console:  2026-11-21T10:15:00.123Z WARN  listening beyond this machine in plain text  url=http://0.0.0.0:2379
 *     json:     {"level":"warn","ts":"2026-11-21T10:15:00.123Z","msg":"listening …","url":"http://0.0.0.0:2379"}
 */
export interface LogOutputOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'panic' | 'fatal';
  readonly format: 'console' | 'json';
  /** `stderr`, `stdout`, `default`, or paths of files, which are appended to. */
  readonly outputs: readonly string[];
  readonly clock: Clock;
}

type Level = 'debug' | 'info' | 'warn' | 'error';

export function openLogger(options: LogOutputOptions): Logger {
  const destinations = options.outputs.map(openDestination);
  // etcd's panic and fatal are levels above error; kedge logs nothing there but the end of the process, as an error.
  const level = options.level === 'panic' || options.level === 'fatal' ? 'error' : options.level;
  const stamp = () => new Date(options.clock.wallMs()).toISOString();
  const writers = destinations.map((destination) =>
    options.format === 'json' ? jsonWriter(destination, level, stamp) : consoleWriter(destination, level, stamp),
  );
  const log = (at: Level) => (event: string, fields?: LogFields) => {
    for (const write of writers) write(at, event, fields);
  };
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}

type Write = (level: Level, event: string, fields: LogFields | undefined) => void;
type Destination = ReturnType<typeof pino.destination>;

function openDestination(output: string): Destination {
  const dest = output === 'stdout' ? 1 : ['stderr', 'default', 'systemd/journal'].includes(output) ? 2 : output;
  try {
    // Synchronous: what was logged before a crash is there. Lines are few: nothing is logged per request.
    const opened = pino.destination({ dest, sync: true, mkdir: true, append: true, maxLength: LIMITS.logBufferBytes });
    // A reader that went away (a closed pipe, a full disk) must not take the store with it.
    opened.on('error', () => {});
    return opened;
  } catch (error) {
    throw new UsageError(`--log-outputs: cannot write to ${output}: ${(error as Error).message}`);
  }
}

function jsonWriter(destination: Destination, level: Level, stamp: () => string): Write {
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'msg',
      timestamp: () => `,"ts":"${stamp()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return (at, event, fields) => logger[at](fields ?? {}, event);
}

const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

function consoleWriter(destination: Destination, level: Level, stamp: () => string): Write {
  return (at, event, fields) => {
    if (RANK[at] < RANK[level]) return;
    const shown = Object.entries(fields ?? {})
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${quoted(String(value))}`);
    destination.write(`${stamp()} ${at.toUpperCase().padEnd(5)} ${[event, ...shown].join('  ')}\n`);
  };
}

/** As it is when it is one plain word, else as a JSON string: a line stays a line, whatever a field holds. */
function quoted(value: string): string {
  return /^[\w.:/@+,[\]=-]+$/.test(value) ? value : JSON.stringify(value);
}
