import { execFile } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { hasMariadb } from '../support/mariadb.ts';
import { hasPostgres } from '../support/postgres.ts';
import { kedgeFile } from '../support/project.ts';
import { temporaryFolder } from '../support/temporary.ts';

/**
 * `npm run bench -- --peer-kine`: what starts a kine, gives it its flags and asks it. kine itself is the user's to bring;
 * a kedge that understands kine's flags stands in for it, and refuses any that kine does not have.
 */
const dist = fileURLToPath(new URL('../../', import.meta.url));
const ENGINES = [
  { name: 'postgres', isThere: hasPostgres() },
  { name: 'mariadb', isThere: hasMariadb() },
];

describe.each(ENGINES)('kine beside kedge on $name', ({ name, isThere }) => {
  it.skipIf(!isThere)(
    'is started by its own flags, asked the same, and compared',
    async () => {
      const kine = standIn();
      const { stdout } = await promisify(execFile)(process.execPath, [
        join(dist, 'bench/main.js'),
        ...['--only', `${name}-kine`, '--peer-kine', kine, '--etcd', '', '--rounds', '1', '--seconds', '0.3'],
        ...['--kedge', `${process.execPath} ${kedgeFile}`],
      ]);
      const lines = stdout.split('\n').filter((line) => line.startsWith(`${name}-kine`));
      expect(lines).toHaveLength(3);
      for (const [i, what] of ['creations', 'updates', 'gets'].entries()) {
        expect(lines[i]).toMatch(
          new RegExp(
            `^${name}-kine +${what}, 64 in flight: [\\d.,]+ /s \\(kine: [\\d.,]+ /s\\) — more than kine [✓✗]$`,
          ),
        );
        expect(lines[i]).not.toContain(' 0.00 /s');
      }
    },
    180_000,
  );
});

/** A program with kine's flags as far as the bench gives them. Its endpoint for MySQL is a Go driver's. */
function standIn(): string {
  const file = join(temporaryFolder('kine'), 'kine');
  writeFileSync(
    file,
    `#!/bin/sh
set -eu
while [ $# -gt 0 ]; do
  case $1 in
    --listen-address) address=$2 ;;
    --endpoint) endpoint=$(printf %s "$2" | sed 's/@tcp(\\(.*\\))/@\\1/') ;;
    --metrics-bind-address) ;;
    *) echo "kine: flag provided but not defined: $1" >&2; exit 1 ;;
  esac
  shift 2
done
exec '${process.execPath}' '${kedgeFile}' serve --data-dir "$(dirname "$0")/data" \\
  --store "$endpoint" --listen-client-urls "http://$address"
`,
  );
  chmodSync(file, 0o755);
  return file;
}
