import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { byNumber, MachineTree } from '../../src/resources/machine-tree.ts';
import { temporaryFolder } from '../support/temporary.ts';

it('reads no more of a file than it may, and says so', async () => {
  const root = temporaryFolder('tree');
  mkdirSync(join(root, 'sys'));
  writeFileSync(join(root, 'sys', 'exact'), 'x'.repeat(65536));
  writeFileSync(join(root, 'sys', 'long'), 'y'.repeat(1_000_000));
  writeFileSync(join(root, 'empty'), '');
  const tree = new MachineTree(`${root}/`);
  expect((await tree.bytes('sys/exact'))?.length).toBe(65536);
  expect(tree.incomplete).toEqual([]);
  expect((await tree.bytes('sys/long'))?.length).toBe(65536);
  expect((await tree.bytes('sys/long', 200_000))?.toString()).toBe('y'.repeat(200_000));
  expect((await tree.bytes('sys/long', 1_000_000))?.length).toBe(1_000_000);
  expect(await tree.text('empty')).toBeUndefined();
  expect(tree.incomplete).toEqual(['/sys/long: only its first 200000 bytes', '/sys/long: only its first 65536 bytes']);
});

it('reads what is read at once within the same bounds', async () => {
  const root = temporaryFolder('tree');
  mkdirSync(join(root, 'proc', 'sys', 'kernel', 'folder'), { recursive: true });
  const file = (name: string, bytes: number): void =>
    writeFileSync(join(root, 'proc', 'sys', 'kernel', name), 'z'.repeat(bytes));
  for (const bytes of [0, 1, 4096, 4097, 20_000, 65_536]) {
    file('arch', bytes);
    expect((await new MachineTree(root).bytes('proc/sys/kernel/arch'))?.length).toBe(bytes);
  }
  file('long', 65_537);
  file('longer', 500_000);
  const tree = new MachineTree(root);
  expect((await tree.bytes('proc/sys/kernel/long'))?.toString()).toBe('z'.repeat(65_536));
  expect((await tree.bytes('proc/sys/kernel/longer'))?.length).toBe(65_536);
  expect(await tree.bytes('proc/sys/kernel/folder')).toBeUndefined();
  expect(await tree.bytes('proc/sys/kernel/missing')).toBeUndefined();
  expect(tree.incomplete).toEqual([
    '/proc/sys/kernel/long: only its first 65536 bytes',
    '/proc/sys/kernel/longer: only its first 65536 bytes',
  ]);
});

it('lists no more of a folder than it may, and says so', async () => {
  const root = temporaryFolder('tree');
  mkdirSync(join(root, 'many'));
  for (let i = 0; i < 4100; i += 1) writeFileSync(join(root, 'many', `cpu${i}`), '');
  const tree = new MachineTree(root);
  expect(tree.names('many')).toHaveLength(4096);
  expect(tree.incomplete).toEqual(['/many: only 4096 of its entries']);
});

it('names a kind of which there are too many', () => {
  const tree = new MachineTree('/');
  expect(tree.some(['a', 'b'], 'disks')).toEqual(['a', 'b']);
  expect(tree.incomplete).toEqual([]);
  expect(tree.some(Array(2000).fill('x'), 'PCI devices')).toHaveLength(1024);
  expect(tree.incomplete).toEqual(['PCI devices: only 1024 of 2000']);
});

it('takes loops, dangling links, folders and pipes for what is not there', async () => {
  const root = temporaryFolder('tree');
  symlinkSync('b', join(root, 'a'));
  symlinkSync('a', join(root, 'b'));
  symlinkSync('nowhere', join(root, 'dangling'));
  mkdirSync(join(root, 'folder'));
  symlinkSync('..', join(root, 'folder', 'up'));
  execFileSync('mkfifo', [join(root, 'pipe')]);
  const tree = new MachineTree(root);
  for (const path of ['a', 'dangling', 'folder', 'folder/up', 'pipe', 'missing']) {
    expect(await tree.text(path), path).toBeUndefined();
  }
  expect(tree.names('a')).toEqual([]);
  expect(tree.names('pipe')).toEqual([]);
  expect(tree.linkName('dangling')).toBe('nowhere');
  expect(tree.link('folder')).toBeUndefined();
  expect(tree.incomplete).toEqual([]);
});

it('many readers at once take turns, and all are served', async () => {
  const root = temporaryFolder('tree');
  for (let i = 0; i < 300; i += 1) writeFileSync(join(root, `f${i}`), `${i}\n`);
  const tree = new MachineTree(root);
  const found = await Promise.all(Array.from({ length: 300 }, (_, i) => tree.count(`f${i}`)));
  expect(found).toEqual(Array.from({ length: 300 }, (_, i) => i));
});

it('counts as people do', () => {
  expect(['cpu10', 'cpu2', 'cpu', 'eth0', 'cpu1a', 'nvme0n1p2', 'nvme0n1'].sort(byNumber)).toEqual([
    'cpu',
    'cpu1a',
    'cpu2',
    'cpu10',
    'eth0',
    'nvme0n1',
    'nvme0n1p2',
  ]);
});
