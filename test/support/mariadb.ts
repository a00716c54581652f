import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { freePort } from './ports.ts';
import { removeFolder, temporaryFolder } from './temporary.ts';

const SERVERS = ['/usr/sbin/mariadbd', '/usr/bin/mariadbd'];
const GALERA = '/usr/lib/galera/libgalera_smm.so';

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** The server's program; KEDGE_MARIADBD names it. */
export function mariadbProgram(): string | undefined {
  return process.env['KEDGE_MARIADBD'] ?? SERVERS.find((path) => existsSync(path));
}

/** In CI nothing may be missing; elsewhere its tests are skipped by name. */
export function hasMariadb(): boolean {
  if (mariadbProgram() !== undefined) return true;
  if (process.env['CI'] !== undefined) throw new Error('no MariaDB: bin/test installs it, KEDGE_MARIADBD names it');
  return false;
}

/** The same for Galera's library and rsync. */
export function hasGalera(): boolean {
  if (hasMariadb() && existsSync(GALERA) && existsSync('/usr/bin/rsync')) return true;
  if (process.env['CI'] !== undefined) throw new Error('no Galera: bin/test installs galera-4 and rsync');
  return false;
}

export interface MariadbSettings {
  /** Options of the server, without their dashes. */
  readonly settings?: Readonly<Record<string, string>>;
  /** A port to take instead of a free one. */
  readonly port?: number;
}

/** A real MariaDB in a temporary folder, on a free port of loopback and a socket, durable as by default. */
export class MariadbServer {
  readonly folder: string;
  readonly host = '127.0.0.1';
  readonly port: number;
  #settings: Readonly<Record<string, string>>;
  #process: ChildProcess | undefined;
  #output = '';
  #databases = 0;

  private constructor(folder: string, port: number, settings: Readonly<Record<string, string>>) {
    this.folder = folder;
    this.port = port;
    this.#settings = settings;
  }

  /** Makes a data folder and starts the server on it. */
  static async start(options: MariadbSettings = {}): Promise<MariadbServer> {
    const server = await MariadbServer.make(options);
    await server.run();
    return server;
  }

  /** Only makes the data folder. */
  static async make({ settings = {}, port }: MariadbSettings = {}): Promise<MariadbServer> {
    const folder = temporaryFolder('mariadb');
    giveToServer(folder);
    // Each its own: a server that starts takes away what it finds of others in a common one.
    mkdirSync(join(folder, 'tmp'));
    giveToServer(join(folder, 'tmp'));
    const server = new MariadbServer(folder, port ?? (await freePort()), settings);
    const [command = '', ...args] = asUser([
      'mariadb-install-db',
      '--no-defaults',
      `--datadir=${server.data}`,
      `--tmpdir=${join(folder, 'tmp')}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      '--skip-name-resolve',
    ]);
    execFileSync(command, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    return server;
  }

  get data(): string {
    return join(this.folder, 'data');
  }

  get socket(): string {
    return join(this.folder, 'server.sock');
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  get output(): string {
    return this.#output;
  }

  /** For kedge: of one database, which need not be there. */
  url(database: string, parameters = '', port = this.port): string {
    return `mysql://root@127.0.0.1:${port}/${database}${parameters}`;
  }

  /** A name that no other test uses. */
  freshDatabase(): string {
    this.#databases += 1;
    return `test_${process.pid}_${this.#databases}`;
  }

  /** Starts it (again), and waits until it answers. */
  async run(settings: Readonly<Record<string, string>> = this.#settings): Promise<void> {
    this.#settings = settings;
    const all: Readonly<Record<string, string>> = {
      datadir: this.data,
      tmpdir: join(this.folder, 'tmp'),
      socket: this.socket,
      port: String(this.port),
      'bind-address': '127.0.0.1',
      'pid-file': join(this.folder, 'server.pid'),
      'innodb-buffer-pool-size': '64M',
      'innodb-log-file-size': '32M',
      ...settings,
    };
    const options = Object.entries(all).map(([key, value]) => `--${key}=${value}`);
    const [command = '', ...args] = asUser([mariadbProgram() ?? '', '--no-defaults', ...options]);
    const child = spawn(command, args, { cwd: this.folder, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    child.stderr?.on('data', (text: Buffer) => {
      this.#output = `${this.#output}${text}`.slice(-20_000);
    });
    for (let attempt = 0; ; attempt += 1) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`mariadbd ended:\n${this.#output}`);
      if (await this.#answers()) return;
      if (attempt > 1_200) throw new Error(`mariadbd does not answer:\n${this.#output}`);
      await pause(50);
    }
  }

  /** `kill` is kill -9. */
  async stop(how: 'shutdown' | 'kill' = 'shutdown'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(how === 'kill' ? 'SIGKILL' : 'SIGTERM');
    await ended;
  }

  /** Holds the server, or lets it go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(signal);
  }

  /** Stops it and removes everything. */
  async dispose(): Promise<void> {
    this.#process?.kill('SIGCONT');
    await this.stop('kill');
    removeFolder(this.folder);
  }

  /** Says something to it as root. */
  async query(sql: string): Promise<readonly (readonly unknown[])[]> {
    const connection = await mysql.createConnection({ socketPath: this.socket, user: 'root' });
    try {
      const [rows] = await connection.query({ sql, rowsAsArray: true });
      return rows as unknown as readonly (readonly unknown[])[];
    } finally {
      await connection.end();
    }
  }

  async #answers(): Promise<boolean> {
    if (!existsSync(this.socket)) return false;
    try {
      await this.query('SELECT 1');
      return true;
    } catch {
      return false; // Not yet.
    }
  }
}

/** Where a node of a Galera cluster listens, all on loopback. `peers`: ports of the group that it joins. */
export interface GaleraNode {
  readonly name: string;
  readonly group: number;
  readonly ist: number;
  readonly sst: number;
  readonly peers: readonly number[];
}

/** Options of a Galera node, beside the usual ones. */
export function galeraSettings({ name, group, ist, sst, peers }: GaleraNode): Readonly<Record<string, string>> {
  return {
    wsrep_on: 'ON',
    wsrep_provider: GALERA,
    wsrep_cluster_name: 'kedge-test',
    wsrep_cluster_address: `gcomm://${peers.map((port) => `127.0.0.1:${port}`).join(',')}`,
    wsrep_node_name: name,
    wsrep_node_address: '127.0.0.1',
    wsrep_sst_method: 'rsync',
    wsrep_sst_receive_address: `127.0.0.1:${sst}`,
    wsrep_provider_options: [
      `base_port=${group}`,
      `gmcast.listen_addr=tcp://127.0.0.1:${group}`,
      `ist.recv_addr=127.0.0.1:${ist}`,
      'gcache.size=32M',
      'pc.recovery=false',
    ].join(';'),
    binlog_format: 'ROW',
    innodb_autoinc_lock_mode: '2',
  };
}

/** The server refuses to run as root: then it runs as whom its package made, or as nobody. */
function asUser(command: readonly string[]): readonly string[] {
  if (process.getuid?.() !== 0) return command;
  const user = ordinaryUser();
  return ['setpriv', `--reuid=${user}`, '--regid=nogroup', '--clear-groups', ...command];
}

function giveToServer(folder: string): void {
  if (process.getuid?.() !== 0) return;
  chownSync(folder, Number(execFileSync('id', ['-u', ordinaryUser()]).toString()), 0);
  chmodSync(folder, 0o700);
}

function ordinaryUser(): string {
  try {
    execFileSync('id', ['-u', 'mysql'], { stdio: 'pipe' });
    return 'mysql';
  } catch {
    return 'nobody'; // There is no such user.
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
