import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/*
 * The rules of the house that a machine can check, read off the sources. ARCHITECTURE.md says why.
 */

/** Room → what it may import: other rooms, npm packages (`npm:`), and whether Node's own modules. */
const ROOMS: Readonly<
  Record<
    string,
    { readonly rooms: readonly string[]; readonly npm: readonly string[]; readonly node: readonly string[] | 'any' }
  >
> = {
  base: { rooms: [], npm: [], node: ['node:crypto', 'node:fs/promises'] },
  mvcc: { rooms: ['base'], npm: [], node: [] },
  wire: { rooms: ['base'], npm: [], node: 'any' },
  log: { rooms: ['mvcc', 'base'], npm: ['better-sqlite3', 'pg', 'mysql2', 'cockatiel'], node: 'any' },
  etcd: { rooms: ['wire', 'mvcc', 'base'], npm: [], node: ['node:crypto'] },
  peers: { rooms: ['base'], npm: ['dns-packet'], node: 'any' },
  admin: { rooms: ['peers', 'wire', 'mvcc', 'base'], npm: ['prom-client'], node: [] },
  client: { rooms: ['etcd', 'base'], npm: ['@grpc/grpc-js'], node: 'any' },
  resources: { rooms: ['base'], npm: [], node: 'any' },
  server: {
    rooms: ['admin', 'peers', 'etcd', 'resources', 'wire', 'log', 'mvcc', 'base'],
    npm: ['pino', '@peculiar/x509', 'bcryptjs'],
    node: 'any',
  },
  migrate: {
    rooms: ['etcd', 'log', 'mvcc', 'base'],
    npm: ['@grpc/grpc-js', 'better-sqlite3', 'pg', 'mysql2'],
    node: 'any',
  },
  ctl: {
    rooms: ['migrate', 'peers', 'resources', 'server', 'log', 'mvcc', 'base'],
    npm: ['commander', 'yaml'],
    node: 'any',
  },
  'main.ts': { rooms: ['house-commands.ts', 'server', 'client', 'ctl', 'base'], npm: [], node: 'any' },
  'house-commands.ts': { rooms: ['server', 'ctl', 'etcd', 'base'], npm: [], node: 'any' },
};

/** Package → the folders that may import it. */
const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  'better-sqlite3': ['src/log/sqlite/', 'src/migrate/kine/'],
  bcryptjs: ['src/server/passwords/'],
  pg: ['src/log/postgres/', 'src/migrate/kine/'],
  mysql2: ['src/log/mysql/', 'src/migrate/kine/'],
  cockatiel: ['src/log/shared/'],
};

const LINES_MAX = 400;
/** File → why it is one concept all the same. */
const LONG_FILES: Readonly<Record<string, string>> = {
  'src/base/protobuf.ts': 'reader and writer of one format, each line the mirror of another',
};

interface Ban {
  readonly what: RegExp;
  readonly instead: string;
  readonly except: readonly string[];
  /** Comments count: one that says why is enough. */
  readonly commentsCount?: boolean;
  /** Only here; everywhere in src when absent. */
  readonly only?: readonly string[];
}

const BANS: readonly Ban[] = [
  {
    what: /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bhrtime\b/,
    instead: 'base/clock.ts',
    except: ['src/base/clock.ts'],
  },
  { what: /\bset(Timeout|Interval)\(/, instead: 'Clock.after', except: ['src/base/clock.ts'] },
  { what: /\bMath\.random\b/, instead: 'an injected source of chance', except: ['src/base/chance.ts'] },
  { what: /\bconsole\./, instead: 'Logger, or a print function that main hands in', except: [] },
  { what: /\bas any\b|<any>|: any\b|@ts-ignore|@ts-expect-error/, instead: 'a type', except: [] },
  {
    what: /(?<![#.\w])process\./,
    instead: 'what server hands in',
    except: [],
    only: ['src/base/', 'src/mvcc/', 'src/wire/', 'src/etcd/', 'src/peers/', 'src/admin/'],
  },
  { what: /\bexport default\b/, instead: 'named exports', except: [] },
  { what: /\bexport \* from\b/, instead: 'imports from the file that has it', except: [] },
  { what: /\benum \w+ \{/, instead: 'a union of literals', except: [] },
  {
    what: /catch(?:\s*\([^)]*\))?\s*\{\s*\}/,
    instead: 'a catch that does or says something',
    except: [],
    commentsCount: true,
  },
];

const root = rootFolder();
const sources = walk(join(root, 'src')).map((path) => ({
  path: relative(root, path),
  text: readFileSync(path, 'utf8'),
}));
const shipped = sources.filter(({ path }) => !path.endsWith('.test.ts'));

describe('tidy', () => {
  it('imports follow the arrows between rooms', () => {
    expect(sources.flatMap(wrongImports)).toEqual([]);
  });

  it('every room is in the table', () => {
    expect(readdirSync(join(root, 'src')).filter((name) => ROOMS[name] === undefined)).toEqual([]);
  });

  it('nothing calls what is banned', () => {
    const found = shipped.flatMap(({ path, text }) => {
      const code = withoutComments(text);
      return BANS.filter((ban) => !ban.except.some((allowed) => path.startsWith(allowed)))
        .filter((ban) => ban.only === undefined || ban.only.some((room) => path.startsWith(room)))
        .map((ban) => ({ ban, found: ban.what.exec(ban.commentsCount === true ? text : code) }))
        .filter(({ found }) => found !== null)
        .map(({ ban, found }) => `${path}: ${found?.[0]} (use ${ban.instead})`);
    });
    expect(found).toEqual([]);
  });

  it(`no source is longer than ${LINES_MAX} lines without a reason`, () => {
    const long = shipped
      .filter(({ text }) => text.split('\n').length - 1 > LINES_MAX)
      .filter(({ path }) => LONG_FILES[path] === undefined)
      .map(({ path, text }) => `${path}: ${text.split('\n').length - 1}`);
    expect(long).toEqual([]);
    const known = new Set(sources.map(({ path }) => path));
    expect(Object.keys(LONG_FILES).filter((path) => !known.has(path))).toEqual([]);
  });

  it('names are kebab-case and say something', () => {
    const odd = sources
      .map(({ path }) => path.split('/').at(-1) ?? '')
      .filter(
        (name) =>
          !/^[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.ts$/.test(name) || /^(utils?|helpers?|common|misc|index)\.ts$/.test(name),
      );
    expect(odd).toEqual([]);
  });

  it('the bundle has an entry for each thread, and for nothing else but main', () => {
    const threads = shipped.flatMap(({ path, text }) =>
      [...text.matchAll(/new Worker\(new URL\('\.\/([\w-]+)\.js'/g)].map(
        ([, name]) => `${name}: ${dirname(path)}/${name}.ts`,
      ),
    );
    const config = readFileSync(join(root, 'rolldown.config.ts'), 'utf8');
    const entries = [...config.matchAll(/^ +'?([\w-]+)'?: '(src\/[\w/-]+\.ts)',$/gm)].map(
      ([, name, path]) => `${name}: ${path}`,
    );
    expect(entries.toSorted()).toEqual(['main: src/main.ts', ...threads].toSorted());
  });

  it('no tracked file knows a machine or a registry', () => {
    // Put together here, so that this file does not find itself.
    const banned = new RegExp(
      `(?<![\\w}.~])/(${['work', 'root', 'home'].join('|')})/[a-z.]|(${['registry', 'deb', 'snapshot'].join('|')})\\.(npmjs|debian)\\.|node${'source'}\\.com`,
    );
    const found = trackedFiles()
      .filter((path) => existsSync(join(root, path)))
      .flatMap((path) => {
        const hit = banned.exec(readFileSync(join(root, path), 'utf8'));
        return hit === null ? [] : [`${path}: ${hit[0]}`];
      });
    expect(found).toEqual([]);
  });
});

function wrongImports({ path, text }: { readonly path: string; readonly text: string }): string[] {
  const room = path.split('/')[1] ?? '';
  const rules = ROOMS[room];
  if (rules === undefined) return [`${path}: in no room`];
  const isTest = path.endsWith('.test.ts');
  const wrong: string[] = [];
  for (const match of withoutComments(text).matchAll(/(?:\bfrom\s|\bimport\s|\bimport\()\s*'([^']+)'/g)) {
    const target = match[1] ?? '';
    if (target.startsWith('.')) {
      const targetRoom = relative(join(root, 'src'), join(root, dirname(path), target)).split('/')[0] ?? '';
      if (targetRoom !== room && !rules.rooms.includes(targetRoom)) wrong.push(`${path} → ${targetRoom}`);
    } else if (target.startsWith('node:') || builtinModules.includes(target)) {
      if (!isTest && rules.node !== 'any' && !rules.node.includes(target)) wrong.push(`${path} → ${target}`);
    } else if (!isTest) {
      const name = rules.npm.find((each) => target === each || target.startsWith(`${each}/`));
      if (name === undefined || FOLDERS[name]?.some((folder) => path.startsWith(folder)) === false)
        wrong.push(`${path} → ${target}`);
    }
  }
  return wrong;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1');
}

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : entry.name.endsWith('.ts') ? [path] : [];
  });
}

function trackedFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  return listed
    .toString()
    .split('\0')
    .filter((path) => path !== '');
}

/** Above dist: where package.json is. */
function rootFolder(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'tsconfig.json'))) return folder;
    if (folder === dirname(folder)) throw new Error('no tsconfig.json above the tests');
  }
}
