import type { Query, QueryArrayConfig } from 'pg';
import type { Parameter, Statement, TextRow } from './connection.ts';

/** A statement among several of one transaction, and its parameters. */
export type Step = readonly [Statement, readonly Parameter[]];

/** As the driver calls back: with an error, or with the rows of each step. */
export type StepsCallback = (error: Error | null, results: readonly { readonly rows: readonly TextRow[] }[]) => void;

/**
 * A query of the driver's that sends several statements as one message and one transaction: in the extended protocol it
 * lasts until Sync, without BEGIN and COMMIT. The server has read all parameters before it executes the first statement,
 * so nothing that waits in the middle waits for this side. The first error ends it, and then nothing was written.
 */
export function transactionQuery(QueryOfDriver: typeof Query, steps: readonly Step[], callback: StepsCallback): Query {
  return wireQuery(QueryOfDriver, callback, (wire) => {
    for (const [place, [{ name, text }, values]] of steps.entries()) {
      const isPrepared = wire.parsedStatements[name] === text;
      // The portal of a statement without a name outlives the next such statement.
      if (!isPrepared) wire.parse({ name: '', text });
      wire.bind({ portal: portalOf(place), statement: isPrepared ? name : '', values, valueMapper: toWire });
    }
    for (const place of steps.keys()) {
      wire.describe({ type: 'P', name: portalOf(place) });
      wire.execute({ portal: portalOf(place) });
    }
    wire.sync();
  });
}

/** Prepares statements under their names, for as long as the session lasts, and executes none. */
export function preparingQuery(
  QueryOfDriver: typeof Query,
  statements: readonly Statement[],
  callback: StepsCallback,
): Query {
  let parsed: Wire['parsedStatements'] = {};
  const noteParsed: StepsCallback = (error, results) => {
    if (error === null) for (const { name, text } of statements) parsed[name] = text;
    callback(error, results);
  };
  return wireQuery(QueryOfDriver, noteParsed, (wire) => {
    parsed = wire.parsedStatements;
    for (const statement of statements) wire.parse(statement);
    wire.sync();
  });
}

/** `send` is called with the stream corked, and ends with a Sync. */
function wireQuery(QueryOfDriver: typeof Query, callback: StepsCallback, send: (wire: Wire) => void): Query {
  // The driver lets no other class into a pipeline; the text is never sent.
  const config: QueryArrayConfig = { text: '-', rowMode: 'array' };
  const query = new QueryOfDriver(config as never, callback as never);
  return Object.assign(query, { requiresPreparation: () => true, prepare: send });
}

function portalOf(place: number): string {
  return `step_${place}`;
}

function toWire(value: unknown): Buffer | string | null {
  return value === null || Buffer.isBuffer(value) ? value : String(value);
}

/** What the driver's queries say to its connection (pg 8: lib/query.js, lib/connection.js). */
interface Wire {
  /** Texts by name. */
  readonly parsedStatements: Record<string, string | undefined>;
  parse(message: Statement): void;
  bind(message: {
    readonly portal: string;
    readonly statement: string;
    readonly values: readonly Parameter[];
    readonly valueMapper: typeof toWire;
  }): void;
  describe(message: { readonly type: 'P'; readonly name: string }): void;
  execute(message: { readonly portal: string }): void;
  sync(): void;
}
