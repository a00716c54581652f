import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { optionTable } from '../../src/ctl/option-table.ts';
import { SERVE_OPTIONS } from '../../src/server/options.ts';
import { projectRoot } from '../support/project.ts';

const path = join(projectRoot, 'README.md');
const SECTION = /(<!-- options:[^\n]*-->\n)[\s\S]*?(<!-- \/options -->)/;

it('the README has the options as they are declared', () => {
  const readme = readFileSync(path, 'utf8');
  const [, before, after] = SECTION.exec(readme) ?? [];
  expect(before, 'the marks around the table').toBeDefined();
  const wanted = readme.replace(SECTION, () => `${before}${optionTable(SERVE_OPTIONS)}\n${after}`);
  if (process.env['UPDATE_README'] !== undefined) writeFileSync(path, wanted);
  else expect(readme).toBe(wanted);
});
