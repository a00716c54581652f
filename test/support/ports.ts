import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the ports that kernels give to outgoing connections (Linux from 32,768, others from 49,152): a port of those may
 * be taken by anybody's connection before the server that it was meant for is (again) there. Each of vitest's workers
 * that run at a time has a part of its own, and begins somewhere in it, for another run may be under way.
 */
const PORT_MIN = 10_000;
const PORT_COUNT = 22_768;
const PART_COUNT = 16;
const PART_SIZE = PORT_COUNT / PART_COUNT;

const part = Number(process.env['VITEST_POOL_ID'] ?? randomInt(PART_COUNT)) % PART_COUNT;
let next = randomInt(PART_SIZE);

/** Ports of 127.0.0.1 that nobody listens on, all different: none comes twice before all of the part were given out. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let tries = 0; ports.length < count; tries++) {
    if (tries === PART_SIZE) throw new Error(`no ${count} free ports among ${PART_SIZE}`);
    const port = PORT_MIN + part * PART_SIZE + next;
    next = (next + 1) % PART_SIZE;
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error('no port');
  return port;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false)); // Somebody listens there.
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
