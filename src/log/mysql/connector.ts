import type { Clock } from '../../base/clock.ts';
import { LogError } from '../../mvcc/log.ts';
import { DatabaseAway } from '../shared/database-away.ts';
import { type Host, HostList, showHost } from '../shared/host-list.ts';
import { Silence } from '../shared/silence.ts';
import { checkServer, type ServerFacts } from './checks.ts';
import { type ConnectionWay, connect, type MysqlConnection, numberAt } from './connection.ts';
import { ErrorNumber, ServerError, translate } from './errors.ts';
import { NOW_US } from './literals.ts';
import type { MysqlOptions } from './options.ts';
import { isGalera, isReadOnly, type Settings, STATUS_STATEMENT, setUp, withStatus } from './session-settings.ts';

/**
 * Makes connections that are ready for use: to the first host that answers, takes writes and is as it must be. Names are
 * resolved anew each time. When another host than before is found, connections to the old one are not used again.
 */
export class Connector {
  readonly #options: MysqlOptions;
  readonly #clock: Clock;
  readonly #hosts: HostList;
  readonly #silence: Silence;
  #facts: ServerFacts | undefined;
  /** Hears that the host that is talked to is gone without a word. */
  onGone: () => void = () => {};
  /** Until then what is refused is refused for good; later it is a server that will come to its senses. */
  #isProven = false;

  constructor(options: MysqlOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#hosts = new HostList(options.hosts);
    this.#silence = new Silence(clock, (host) => this.#look(host));
    this.#silence.onGone = (host) => {
      if (host === this.#hosts.preferred) this.onGone();
    };
  }

  /** The server that was connected to last. */
  get facts(): ServerFacts | undefined {
    return this.#facts;
  }

  /** Whether it takes compound statements, and is to be sent some. */
  get takesBlocks(): boolean {
    return this.#facts?.takesBlocks === true && this.#options.append === 'auto';
  }

  /** Rejects with LogError. */
  async connect(): Promise<MysqlConnection> {
    const hosts = this.#options.socketPath === undefined ? this.#hosts.inOrder() : [undefined];
    const problems: LogError[] = [];
    for (const host of hosts) {
      try {
        const connection = await this.#connectTo(host);
        if (host !== undefined) this.#hosts.worked(host);
        this.#isProven = true;
        return connection;
      } catch (error) {
        problems.push(translate(error, this.#options.shown));
      }
    }
    // Where one host is just away, another's refusal is not the last word.
    const refusal = problems.find(({ code }) => code === 'refused');
    if (refusal !== undefined && !this.#isProven && problems.every(({ code }) => code === 'refused')) throw refusal;
    const texts = problems.map(({ message }, i) =>
      hosts.length > 1 && hosts[i] ? `${showHost(hosts[i])}: ${message}` : message,
    );
    throw new DatabaseAway([...new Set(texts)].join('; '), 'unavailable', { cause: problems[0] });
  }

  /** Makes the database when it is not there. Rejects with LogError `refused` when that is not allowed. */
  async createDatabase(): Promise<void> {
    const { database, shown } = this.#options;
    const hosts = this.#options.socketPath === undefined ? this.#hosts.inOrder() : [undefined];
    for (const host of hosts) {
      const connection = await connect(this.#options, database, this.#way(host)).catch((error: unknown) => error);
      if (!(connection instanceof Error)) return (connection as MysqlConnection).close();
      if (!(connection instanceof ServerError) || connection.number !== ErrorNumber.BAD_DB) continue;
      const server = await connect(this.#options, undefined, this.#way(host));
      try {
        if (isReadOnly(await setUp(server))) continue;
        await server.rows(`CREATE DATABASE IF NOT EXISTS \`${database}\` CHARACTER SET binary`);
        return;
      } catch (error) {
        throw new LogError(
          'refused',
          `store ${shown}: the database ${database} is not there and cannot be made (${error instanceof Error ? error.message : String(error)}): make it, and grant the user all rights on it`,
          { cause: error },
        );
      } finally {
        await server.close();
      }
    }
  }

  /** Looks at the server again, for health. */
  async look(
    connection: MysqlConnection,
  ): Promise<{ readonly facts: ServerFacts; readonly clockDifferenceMs: number }> {
    return this.#check(connection, await setUp(connection));
  }

  /** The URL's hosts but the one that writes. */
  others(): readonly Host[] {
    return this.#options.socketPath === undefined ? this.#hosts.inOrder().slice(1) : [];
  }

  /** To one of the others, to look at it; as it is, nothing is set. */
  connectToOther(host: Host): Promise<MysqlConnection> {
    return connect(this.#options, this.#options.database, this.#way(host));
  }

  async #connectTo(host: Host | undefined): Promise<MysqlConnection> {
    const { database } = this.#options;
    const losses = this.#silence.losses(host);
    const isWanted = (): boolean =>
      losses === this.#silence.losses(host) && (host === undefined || this.#hosts.preferred === host);
    const connection = await connect(this.#options, database, { ...this.#way(host), isWanted });
    try {
      const settings = await setUp(connection);
      connection.sendsOneByOne = isGalera(settings);
      if (isReadOnly(settings)) throw new ServerError(ErrorNumber.OPTION_PREVENTS_STATEMENT, 'read_only is on');
      this.#facts = (await this.#check(connection, settings)).facts;
      connection.takesBlocks = this.takesBlocks;
      return connection;
    } catch (error) {
      connection.drop();
      throw error;
    }
  }

  #way(host: Host | undefined): ConnectionWay {
    return { host, clock: this.#clock, silence: this.#silence };
  }

  /** A server shuts out whose connections come to nothing too often: so this one logs in, and is told only what came first. */
  #look(host: Host): Promise<boolean> {
    return new Promise((resolve) => {
      connect(this.#options, undefined, { ...this.#way(host), onAccepted: () => resolve(true) }).then(
        (connection) => connection.close(),
        () => resolve(false),
      );
    });
  }

  async #check(connection: MysqlConnection, settings: Settings) {
    const askedMs = this.#clock.wallMs();
    const [[now] = [], status = []] = await connection.run([`SELECT ${NOW_US}`, STATUS_STATEMENT]);
    const clockDifferenceMs = numberAt(now, 0) / 1000 - (askedMs + this.#clock.wallMs()) / 2;
    const facts = checkServer(withStatus(settings, status), clockDifferenceMs, this.#options.shown);
    return { facts, clockDifferenceMs };
  }
}
