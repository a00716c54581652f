import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { kedgeFile } from '../support/project.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder('completion');
const script = (shell: string) => execFileSync(process.execPath, [kedgeFile, 'completion', shell]).toString();

/** The script in a real bash, which is asked what the last of these words could be. */
function completed(...words: string[]): string[] {
  const ask = `source ${join(folder, 'bash')}; shift 0; COMP_WORDS=(kedge "$@"); COMP_CWORD=$(($#)); _kedge; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', ask, 'bash', ...words], { cwd: folder })
    .toString()
    .split('\n')
    .slice(0, -1);
}

/** What is typed, and what a tab makes of it; the same: nothing. */
const TYPED: Readonly<Record<string, string>> = {
  'kedge wa': 'kedge watch',
  'kedge lease g': 'kedge lease grant',
  'kedge get --pre': 'kedge get --prefix',
  'kedge get key --print': 'kedge get key --print-value-only',
  'kedge user get --det': 'kedge user get --detail',
  'kedge get --det': 'kedge get --det',
  'kedge get -w j': 'kedge get -w json',
  'kedge get --write-out=ta': 'kedge get --write-out=table',
  'kedge -w json compl': 'kedge -w json completion',
  'kedge --hex --endpoints x endpoint st': 'kedge --hex --endpoints x endpoint status',
  'kedge get --cacert a-f': 'kedge get --cacert a-file.pem',
  'kedge role grant-permission x readw': 'kedge role grant-permission x readwrite',
  'kedge serve --log-level w': 'kedge serve --log-level warn',
  'kedge completion z': 'kedge completion zsh',
};

/** An interactive zsh on a terminal of its own: each line, a tab, and a key that prints what the line is then. */
const TYPE_IN_ZSH = `zmodload zsh/zpty
script=$1; shift
zpty shell 'TERM=dumb zsh -f -i'
said() { local text; zpty -r shell text "*$1*" && print -rn -- "$text"; }
zpty -w shell "PS1= PS2= RPS1=; autoload -U compinit; compinit -D -u; source $script
tell() { print -r -- \\"BUFFER<\\$BUFFER>\\"; BUFFER=; }; zle -N tell; bindkey '^X' tell; print rea''dy"
said ready >/dev/null
for line in "$@"; do
  zpty -w -n shell "$line"$'\\t\\x18'
  out=$(said 'BUFFER<*>')
  print -r -- "\${\${out##*BUFFER<}%%>*}"
done
zpty -d shell
`;

/** In CI nothing may be missing. */
function has(shell: 'zsh' | 'fish'): boolean {
  if (spawnSync(shell, ['--version']).status === 0) return true;
  if (process.env['CI'] !== undefined) throw new Error(`no ${shell}: bin/test installs it`);
  return false;
}

describe('completion', () => {
  beforeAll(() => {
    writeFileSync(join(folder, 'bash'), script('bash'));
    writeFileSync(join(folder, 'a-file.pem'), '');
  });

  it.each([
    [['wa'], ['watch']],
    [['lease', 'g'], ['grant']],
    [
      ['lease', ''],
      ['grant', 'revoke', 'timetolive', 'list', 'keep-alive'],
    ],
    [['get', '--pre'], ['--prefix']],
    [['get', 'key', '--print'], ['--print-value-only']],
    [['user', 'get', '--det'], ['--detail']],
    [['get', '--det'], ['']],
    [['get', '-w', 'j'], ['json']],
    [['get', '--write-out', '=', 'ta'], ['table']],
    [['-w', 'json', 'compl'], ['completion']],
    [['--hex', '--endpoints', 'x', 'endpoint', 'st'], ['status']],
    [['get', '--cacert', 'a-f'], ['a-file.pem']],
    [['get', '--endpoints', 'a-f'], ['']],
    [['role', 'grant-permission', 'x', 'readw'], ['readwrite']],
    [['serve', '--log-le'], ['--log-level']],
    [['serve', '--log-level', 'w'], ['warn']],
    [['completion', ''], expect.arrayContaining(['bash', 'zsh', 'fish'])],
  ])('bash: %j → %j', (words, expected) => {
    expect(completed(...words)).toEqual(expected);
  });

  it.runIf(has('zsh'))('zsh: the same at its prompt, by bashcompinit', () => {
    writeFileSync(join(folder, 'zsh'), script('zsh'));
    writeFileSync(join(folder, 'type.zsh'), TYPE_IN_ZSH);
    const typed = Object.keys(TYPED);
    const run = spawnSync('zsh', ['-f', 'type.zsh', join(folder, 'zsh'), ...typed], { cwd: folder, timeout: 60_000 });
    const lines = run.stdout.toString().split('\n').slice(0, -1);
    expect(Object.fromEntries(typed.map((line, i) => [line, lines[i]?.trimEnd()])), run.stderr.toString()).toEqual(
      TYPED,
    );
  });

  it.runIf(has('fish'))('fish: the same, as it offers it', () => {
    writeFileSync(join(folder, 'fish'), script('fish'));
    const offered = (line: string): string[] =>
      execFileSync('fish', ['--no-config', '-c', 'source fish; complete -C $argv[1]', line], { cwd: folder })
        .toString()
        .split('\n')
        .map((offer) => offer.split('\t')[0] ?? '')
        .filter((offer) => offer !== '');
    for (const [line, completedLine] of Object.entries(TYPED)) {
      const last = completedLine.split(' ').at(-1) ?? '';
      expect(offered(line), line).toEqual(line === completedLine ? [] : [last]);
    }
    expect(offered('kedge lease ').sort()).toEqual(['grant', 'keep-alive', 'list', 'revoke', 'timetolive']);
  });

  it('fish: tells "get" from "user get"', () => {
    const lines = script('fish').split('\n');
    const of = (flag: string) => lines.filter((line) => line.includes(` -l ${flag} `));
    expect(of('detail')).toEqual([
      expect.stringContaining('__fish_seen_subcommand_from user; and __fish_seen_subcommand_from get'),
    ]);
    expect(of('print-value-only')[0]).toMatch(
      /-n '__fish_seen_subcommand_from get; and not __fish_seen_subcommand_from .*user/,
    );
    expect(lines).toContainEqual(expect.stringMatching(/ -s w -l write-out -x -a 'simple fields json protobuf table'/));
    // Every quote is closed: what help says does not end a word.
    for (const line of lines) expect(line.replaceAll("\\'", '').split("'").length % 2, line).toBe(1);
  });
});
