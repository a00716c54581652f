import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { distRoot } from '../support/project.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder('completion');
const script = (shell: string) =>
  execFileSync(process.execPath, [join(distRoot, 'src', 'main.js'), 'completion', shell]).toString();

/** The script in a real bash, which is asked what the last of these words could be. */
function completed(...words: string[]): string[] {
  const ask = `source ${join(folder, 'bash')}; shift 0; COMP_WORDS=(kedge "$@"); COMP_CWORD=$(($#)); _kedge; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', ask, 'bash', ...words], { cwd: folder })
    .toString()
    .split('\n')
    .slice(0, -1);
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

  it('zsh: the same, by bashcompinit', () => {
    expect(script('zsh')).toContain('bashcompinit');
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
