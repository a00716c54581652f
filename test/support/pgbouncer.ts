import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import type { PostgresServer } from './postgres.ts';
import { removeFolder, temporaryFolder } from './temporary.ts';

/** Whether it is installed; in CI it must be. */
export function hasPgBouncer(): boolean {
  try {
    execFileSync('pgbouncer', ['--version'], { stdio: 'pipe' });
    return true;
  } catch (error) {
    if (process.env['CI'] !== undefined) throw new Error('no pgbouncer: bin/test installs it', { cause: error });
    return false;
  }
}

/** A real PgBouncer in transaction mode before a server; it gives few connections to many clients. */
export async function startPgBouncer(server: PostgresServer): Promise<{ port: number; stop(): Promise<void> }> {
  const folder = temporaryFolder('pgbouncer');
  const port = await freePort();
  const file = join(folder, 'pgbouncer.ini');
  writeFileSync(
    file,
    `[databases]
* = host=127.0.0.1 port=${server.port} user=kedge
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 100
server_lifetime = 1
log_stats = 0
`,
  );
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    const uid = Number(execFileSync('id', ['-u', 'nobody']).toString());
    for (const path of [folder, file]) chownSync(path, uid, 0);
    chmodSync(folder, 0o700);
  }
  const command = isRoot
    ? ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups', 'pgbouncer', file]
    : ['pgbouncer', file];
  const child = spawn(command[0] ?? '', command.slice(1), { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  let output = '';
  child.stderr.on('data', (text: Buffer) => {
    output = `${output}${text}`.slice(-5_000);
  });
  for (let attempt = 0; !(await answers(port)); attempt++) {
    if (child.exitCode !== null || attempt > 400) throw new Error(`pgbouncer does not start:\n${output}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return {
    port,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      removeFolder(folder);
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
