import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { EtcdClient } from '../support/client.ts';
import { distRoot } from '../support/project.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { startSubject } from '../support/subject.ts';
import { residentBytes } from './memory.ts';
import { openFilesMax, openings, openSocket } from './sockets.ts';

const MIB = 1024 * 1024;

/** Peers that connect and misbehave. The server lives, answers others, and its memory stays bounded. */
describe('hostile peers', () => {
  let server: ServerProcess;
  let client: EtcdClient;

  beforeAll(async () => {
    server = await startSubject();
    client = new EtcdClient(server.endpoint);
    await client.call('KV/Put', { key: Buffer.from('warm'), value: Buffer.from('1') });
  });
  afterEach(() => server.mustBeAlive());
  afterAll(async () => {
    client.close();
    await server.kill();
  });

  /** A client that comes now is served, and so is one that was there before. */
  async function servesOthers(): Promise<void> {
    const late = new EtcdClient(server.endpoint);
    for (const one of [client, late]) {
      const put = await one.call('KV/Put', { key: Buffer.from('alive'), value: Buffer.from('yes') });
      expect(put.header?.revision).toMatch(/^\d+$/);
    }
    late.close();
  }

  function grownBytes(since: number | undefined): number {
    return (residentBytes(server.pid) ?? 0) - (since ?? 0);
  }

  test.each(Object.entries(openings))('a hundred that say %s and no more', async (_, opening) => {
    const sockets = await Promise.all(Array.from({ length: 100 }, () => openSocket(server.port, opening)));
    await servesOthers();
    for (const socket of sockets) socket.resetAndDestroy();
    await servesOthers();
  });

  test('ten thousand connections', { timeout: 180_000 }, async () => {
    const count = Math.min(10_000, openFilesMax() - 1_000);
    const before = residentBytes(server.pid);
    const sockets: Socket[] = [];
    while (sockets.length < count) {
      const some = Array.from({ length: Math.min(200, count - sockets.length) }, () =>
        openSocket(server.port, openings['preface and settings']),
      );
      sockets.push(...(await Promise.all(some)));
    }
    await servesOthers();
    console.log(`${count} connections: ${Math.round(grownBytes(before) / count / 1024)} KiB each`);
    expect(grownBytes(before)).toBeLessThan(count * 64 * 1024 + 64 * MIB);
    for (const socket of sockets) socket.destroy();
    await servesOthers();
  });

  test('clients killed in the middle', { timeout: 120_000 }, async () => {
    const program = join(distRoot, 'test', 'hostile', 'busy-client.js');
    for (let round = 0; round < 5; round++) {
      const child = spawn(process.execPath, [program, server.endpoint], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(child.stdout, 'data'); // It is in the middle of everything.
      child.kill('SIGKILL');
      await once(child, 'close');
      await servesOthers();
    }
    // What the dead had open is gone.
    const deadline = performance.now() + 30_000;
    while ((await metric('etcd_debugging_mvcc_watcher_total')) > 0) {
      if (performance.now() > deadline) throw new Error('watchers of dead clients are still there');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });

  async function metric(name: string): Promise<number> {
    const text = await (await fetch(`http://${server.endpoint}/metrics`)).text();
    const line = text.split('\n').find((one) => one.startsWith(`${name} `));
    if (line === undefined) throw new Error(`no metric ${name}`);
    return Number(line.split(' ')[1]);
  }

  test('watchers that never read', { timeout: 240_000 }, async () => {
    const stuckCount = 20;
    const writes = 6_000;
    const value = Buffer.alloc(8 * 1024, 'v');
    const stuck = Array.from({ length: stuckCount }, () => new EtcdClient(server.endpoint));
    const streams = stuck.map((one) => one.stream('Watch/Watch'));
    for (const stream of streams) {
      stream.send({ create_request: { key: Buffer.from('stuck/'), range_end: Buffer.from('stuck0') } });
      expect((await stream.take()).created).toBe(true);
      stream.pause();
    }
    const lively = client.stream('Watch/Watch');
    lively.send({ create_request: { key: Buffer.from('stuck/'), range_end: Buffer.from('stuck0') } });
    expect((await lively.take()).created).toBe(true);
    const before = residentBytes(server.pid);
    const writer = async (number: number) => {
      for (let i = 0; i < writes / 16; i++) {
        await client.call('KV/Put', { key: Buffer.from(`stuck/${number}/${i % 10}`), value });
      }
    };
    await Promise.all(Array.from({ length: 16 }, (_, number) => writer(number)));
    let events = 0;
    while (events < writes) events += (await lively.take()).events.length;
    // Unread, they would hold a gigabyte.
    const grown = grownBytes(before);
    console.log(
      `${stuckCount} stuck watchers of ${(writes * value.length) / MIB} MiB: memory grew by ${Math.round(grown / MIB)} MiB`,
    );
    expect(grown).toBeLessThan(500 * MIB);
    // And when they read again, nothing is missing.
    const [first] = streams;
    if (first === undefined) throw new Error('no stream');
    first.resume();
    let seen = 0;
    let last = 0;
    while (seen < writes) {
      for (const event of (await first.take()).events) {
        expect(Number(event.kv?.mod_revision)).toBeGreaterThan(last);
        last = Number(event.kv?.mod_revision);
        seen++;
      }
    }
    for (const one of stuck) one.close();
    lively.cancel();
    await servesOthers();
  });
});
