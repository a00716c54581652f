/** Fields of a log line. Units go last in the name (`elapsed_ms`). Never values or tokens; keys only at debug. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Structured logging: an event in a few plain words, and fields. */
export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** Drops everything: for tests and for embedding. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
