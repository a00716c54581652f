import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { freePort } from '../support/ports.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';

/** A real database in a temporary folder, on loopback, not durable. */
export interface DatabaseServer {
  /** Of an empty database. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Both refuse to run as root; `user` is whom Debian's packages make for them. */
function asUser(user: string): string[] {
  return process.getuid?.() === 0 ? ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'] : [];
}

function ownFolder(name: string, user: string): string {
  const folder = temporaryFolder(name);
  chmodSync(folder, 0o755);
  const data = join(folder, 'data');
  mkdirSync(data);
  if (process.getuid?.() === 0) execFileSync('chown', [user, data]);
  return data;
}

function execAs(user: string, command: readonly string[]): void {
  const [program = '', ...args] = [...asUser(user), ...command];
  execFileSync(program, args, { stdio: 'pipe' });
}

function spawnAs(user: string, command: readonly string[]): ChildProcess {
  const [program = '', ...args] = [...asUser(user), ...command];
  return spawn(program, args, { stdio: 'ignore' });
}

function mayMiss(what: string, there: boolean): boolean {
  if (!there && process.env['CI'] !== undefined) throw new Error(`no ${what}: bin/test installs it`);
  return there;
}

const POSTGRES = '/usr/lib/postgresql';
export const hasPostgres = mayMiss('PostgreSQL', postgresFolder() !== undefined);
export const hasMariadb = mayMiss('MariaDB', existsSync('/usr/sbin/mariadbd'));

function postgresFolder(): string | undefined {
  const versions = existsSync(POSTGRES) ? readdirSync(POSTGRES).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(POSTGRES, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb')));
}

export async function startPostgres(): Promise<DatabaseServer> {
  const data = ownFolder('kine-postgres', 'postgres');
  const bin = postgresFolder() ?? '';
  const port = await freePort();
  execAs('postgres', [join(bin, 'initdb'), '-D', data, '-U', 'kine', '-A', 'trust', '--no-sync']);
  const settings = ['-p', String(port), '-k', '', '-h', '127.0.0.1', '-c', 'fsync=off'];
  const child = spawnAs('postgres', [join(bin, 'postgres'), '-D', data, ...settings]);
  const url = `postgres://kine:none@127.0.0.1:${port}/postgres`;
  await until(child, async () => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.end();
  });
  return { url, stop: () => stopped(child, 'SIGINT', data) };
}

export async function startMariadb(): Promise<DatabaseServer> {
  const data = ownFolder('kine-mariadb', 'mysql');
  const port = await freePort();
  execAs('mysql', [
    'mariadb-install-db',
    '--no-defaults',
    `--datadir=${data}`,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
  ]);
  const child = spawnAs('mysql', [
    '/usr/sbin/mariadbd',
    '--no-defaults',
    `--datadir=${data}`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    `--socket=${data}/socket`,
    `--pid-file=${data}/pid`,
    '--innodb-flush-log-at-trx-commit=0',
  ]);
  const server = `mysql://root@127.0.0.1:${port}`;
  await until(child, async () => {
    const connection = await mysql.createConnection(server);
    await connection.query('CREATE DATABASE IF NOT EXISTS kine');
    await connection.end();
  });
  return { url: `${server}/kine`, stop: () => stopped(child, 'SIGTERM', data) };
}

async function until(child: ChildProcess, isReady: () => Promise<void>): Promise<void> {
  for (let i = 0; ; i += 1) {
    try {
      await isReady();
      return;
    } catch (error) {
      if (i > 1200 || child.exitCode !== null) throw error;
      await sleep(50);
    }
  }
}

async function stopped(child: ChildProcess, signal: NodeJS.Signals, data: string): Promise<void> {
  const closed = new Promise((resolve) => child.once('close', resolve));
  if (child.exitCode === null) {
    child.kill(signal);
    await closed;
  }
  removeFolder(join(data, '..'));
}
