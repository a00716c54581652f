import { describe, expect, it } from 'vitest';
import { arrangeWords } from './arrange-words.ts';
import type { Command } from './command.ts';
import { flag, option, text } from './options.ts';

const shared = {
  endpoints: option(text('url'), { flag: 'endpoints', default: '', group: 'g', help: 'h' }),
  write: option(text('format'), { flag: 'write-out', short: 'w', default: '', group: 'g', help: 'h' }),
  hex: option(flag, { flag: 'hex', short: 'x', default: false, group: 'g', help: 'h' }),
};
const run = async () => 0;
const client = (name: string): Command => ({
  name,
  summary: '',
  operands: [],
  options: shared,
  flagStyle: 'etcdctl',
  run,
});
const commands: Command[] = [
  { name: 'serve', summary: '', operands: [], options: { dataDir: { ...shared.endpoints, flag: 'data-dir' } }, run },
  client('get'),
  client('lease grant'),
  client('lease keep-alive'),
  client('compaction'),
];

describe('words are put in order', () => {
  it.each([
    ['get a b', 'get a b'],
    ['--endpoints x get a', 'get --endpoints=x a'],
    ['--endpoints=x -w json get a', 'get --endpoints=x --write-out=json a'],
    ['--hex get a', 'get --hex=true a'],
    ['get --hex a', 'get --hex=true a'],
    ['get --hex=false a', 'get --hex=false a'],
    ['get -wjson a -w=x', 'get --write-out=json a --write-out=x'],
    ['get -xw json a', 'get --hex=true --write-out=json a'],
    ['get -xq a', 'get --hex=true -q a'],
    ['lease --hex grant 5', 'lease grant --hex=true 5'],
    ['lease keep 5', 'lease keep-alive 5'],
    ['compact 5', 'compaction 5'],
    ['get compact', 'get compact'],
    ['serve -data-dir /d', 'serve --data-dir /d'],
    ['ser -data-dir /d', 'ser --data-dir /d'],
    ['get --nope=1 -n a', 'get --nope=1 -n a'],
    ['lease', 'lease'],
    ['', ''],
  ])('%s → %s', (words, arranged) => {
    const split = (line: string) => (line === '' ? [] : line.split(' '));
    expect(arrangeWords(split(words), commands).words).toEqual(split(arranged));
  });

  it('leaves what stands after -- as it is, and counts it', () => {
    const arranged = arrangeWords(['get', '-w', 'json', 'a', '--', '-w', 'x', '--'], commands);
    expect(arranged.words).toEqual(['get', '--write-out=json', 'a', '--', '-w', 'x', '--']);
    expect(arranged.afterDashes).toBe(3);
    expect(arrangeWords(['get', 'a'], commands).afterDashes).toBeUndefined();
    expect(arrangeWords(['get', 'a', '--'], commands).afterDashes).toBe(0);
  });
});
