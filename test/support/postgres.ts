import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from './ports.ts';
import { removeFolder, temporaryFolder } from './temporary.ts';

/** Where Debian and others put the server's programs; KEDGE_POSTGRES names the folder. The newest one counts. */
export function postgresFolder(): string | undefined {
  const given = process.env['KEDGE_POSTGRES'];
  if (given !== undefined) return given;
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(debian, version, 'bin')).find((folder) => existsSync(join(folder, 'initdb')));
}

/** In CI nothing may be missing; elsewhere its tests are skipped by name. */
export function hasPostgres(): boolean {
  if (postgresFolder() !== undefined) return true;
  if (process.env['CI'] !== undefined) throw new Error('no PostgreSQL: bin/test installs it, KEDGE_POSTGRES names it');
  return false;
}

export interface PostgresSettings {
  /** More of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Makes a standby of this one. */
  readonly standbyOf?: PostgresServer;
  /** Name of the standby, as synchronous_standby_names knows it. */
  readonly name?: string;
}

/** A real PostgreSQL in a temporary folder, on a free port of loopback, durable as by default. */
export class PostgresServer {
  readonly folder: string;
  readonly host = '127.0.0.1';
  readonly port: number;
  #process: ChildProcess | undefined;
  #settings: Readonly<Record<string, string>>;
  #output = '';
  #databases = 0;

  private constructor(folder: string, port: number, settings: Readonly<Record<string, string>>) {
    this.folder = folder;
    this.port = port;
    this.#settings = settings;
  }

  static async start({ settings = {}, standbyOf, name }: PostgresSettings = {}): Promise<PostgresServer> {
    const folder = temporaryFolder('postgres');
    asPostgresUser(folder);
    const server = new PostgresServer(folder, await freePort(), settings);
    if (standbyOf === undefined) {
      server.#program('initdb', ['-D', server.data, '-U', 'kedge', '-A', 'trust', '--no-sync', '--no-instructions']);
    } else {
      const from = `host=127.0.0.1 port=${standbyOf.port} user=kedge application_name=${name ?? 'standby'}`;
      server.#program('pg_basebackup', [
        '-D',
        server.data,
        '-d',
        from,
        '-R',
        '--no-sync',
        '-c',
        'fast',
        '-X',
        'stream',
      ]);
    }
    await server.run();
    return server;
  }

  get data(): string {
    return join(this.folder, 'data');
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** For kedge: of one database, empty at first. */
  url(database: string, parameters = ''): string {
    return `postgres://kedge@127.0.0.1:${this.port}/${database}${parameters}`;
  }

  /** A name that no other test uses. A database of its own takes a second on a busy machine: freshSchema is quicker. */
  freshDatabase(): string {
    this.#databases += 1;
    return `test_${process.pid}_${this.#databases}`;
  }

  /** A parameter that makes a store of its own in any database. */
  freshSchema(): string {
    return `schema=${this.freshDatabase()}`;
  }

  /** Starts it (again), and waits until it answers. */
  async run(settings: Readonly<Record<string, string>> = this.#settings): Promise<void> {
    this.#settings = settings;
    const all = {
      listen_addresses: '127.0.0.1',
      port: String(this.port),
      unix_socket_directories: this.folder,
      max_connections: '60',
      shared_buffers: '64MB',
      ...settings,
    };
    const args = ['-D', this.data, ...Object.entries(all).flatMap(([key, value]) => ['-c', `${key}=${value}`])];
    const [command = '', ...rest] = asUser([join(folderOfPrograms(), 'postgres'), ...args]);
    const child = spawn(command, rest, { cwd: this.folder, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = child;
    child.stderr?.on('data', (text: Buffer) => {
      this.#output = `${this.#output}${text}`.slice(-20_000);
    });
    for (let attempt = 0; ; attempt += 1) {
      if (child.exitCode !== null) throw new Error(`postgres ended:\n${this.#output}`);
      const client = await this.#tryConnect();
      if (client !== undefined) {
        await client.end();
        return;
      }
      if (attempt > 600) throw new Error(`postgres does not answer:\n${this.#output}`);
      await pause(50);
    }
  }

  /** `fast` breaks off what is under way; `kill` is kill -9 of the server and all its sessions. */
  async stop(how: 'fast' | 'kill' = 'fast'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (how === 'kill') for (const pid of sessionsOf(child.pid)) trySignal(pid, 'SIGKILL');
    child.kill(how === 'kill' ? 'SIGKILL' : 'SIGINT');
    await ended;
  }

  /** Holds the server and all its sessions, or lets them go on. */
  signalAll(signal: 'SIGSTOP' | 'SIGCONT'): void {
    for (const pid of [...sessionsOf(this.pid), this.pid]) trySignal(pid, signal);
  }

  /** Makes a standby the primary. */
  promote(): void {
    this.#program('pg_ctl', ['promote', '-D', this.data, '-w']);
  }

  /** Stops it and removes everything. */
  async dispose(): Promise<void> {
    await this.stop('kill');
    removeFolder(this.folder);
  }

  /** Says something to it as its owner. */
  async query(text: string, database = 'postgres'): Promise<readonly (readonly unknown[])[]> {
    const client = new pg.Client({ host: '127.0.0.1', port: this.port, user: 'kedge', database });
    await client.connect();
    try {
      const { rows } = await client.query<unknown[]>({ text, rowMode: 'array' });
      return rows;
    } finally {
      await client.end();
    }
  }

  async #tryConnect(): Promise<pg.Client | undefined> {
    const client = new pg.Client({ host: '127.0.0.1', port: this.port, user: 'kedge', database: 'postgres' });
    client.on('error', () => {});
    return client.connect().then(
      () => client,
      () => undefined,
    );
  }

  #program(name: string, args: readonly string[]): void {
    const [command = '', ...rest] = asUser([join(folderOfPrograms(), name), ...args]);
    execFileSync(command, rest, { cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'] });
  }
}

function folderOfPrograms(): string {
  const folder = postgresFolder();
  if (folder === undefined) throw new Error('no PostgreSQL');
  return folder;
}

/** The server refuses to run as root: then it runs as whom its package made, or as nobody. */
function asUser(command: readonly string[]): readonly string[] {
  if (process.getuid?.() !== 0) return command;
  return ['setpriv', `--reuid=${ordinaryUser()}`, '--clear-groups', '--regid=nogroup', ...command];
}

function asPostgresUser(folder: string): void {
  if (process.getuid?.() !== 0) return;
  chownSync(folder, Number(execFileSync('id', ['-u', ordinaryUser()]).toString()), 0);
  chmodSync(folder, 0o700);
}

function ordinaryUser(): string {
  try {
    execFileSync('id', ['-u', 'postgres'], { stdio: 'pipe' });
    return 'postgres';
  } catch {
    return 'nobody'; // no such user
  }
}

/** Children of the server. */
function sessionsOf(pid = 0): number[] {
  try {
    const text = execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)]).toString();
    return text.split('\n').map(Number).filter(Boolean);
  } catch {
    return []; // ps finds none
  }
}

function trySignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself.
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
