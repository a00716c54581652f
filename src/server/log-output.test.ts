import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { openLogger } from './log-output.ts';

const folder = mkdtempSync(join(tmpdir(), 'kedge-log-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const clock = { ...systemClock, wallMs: () => 1_700_000_000_123 };

it('console lines: time, level, event, fields; one line whatever a field holds', () => {
  const file = join(folder, 'console.log');
  const logger = openLogger({ level: 'info', format: 'console', outputs: [file], clock });
  logger.debug('not shown');
  logger.info('started', { revision: 5, url: 'http://127.0.0.1:2379', absent: undefined });
  logger.error('bad', { reason: 'two\nlines "quoted"' });
  expect(readFileSync(file, 'utf8')).toBe(
    [
      '2023-11-14T22:13:20.123Z INFO  started  revision=5  url=http://127.0.0.1:2379',
      '2023-11-14T22:13:20.123Z ERROR bad  reason="two\\nlines \\"quoted\\""',
      '',
    ].join('\n'),
  );
});

it('JSON lines, into every output', () => {
  const files = [join(folder, 'a.json'), join(folder, 'b.json')];
  openLogger({ level: 'debug', format: 'json', outputs: files, clock }).debug('seen', { n: 1 });
  for (const file of files) {
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      level: 'debug',
      ts: '2023-11-14T22:13:20.123Z',
      msg: 'seen',
      n: 1,
    });
  }
});

it('a file that cannot be written is said so', () => {
  expect(() => openLogger({ level: 'info', format: 'json', outputs: [folder], clock })).toThrow('cannot write to');
});
