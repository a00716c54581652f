import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const emptySettings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** What a peer says before it falls silent. */
export const openings = {
  nothing: Buffer.alloc(0),
  'half a preface': preface.subarray(0, 10),
  'a preface': preface,
  'preface and settings': Buffer.concat([preface, emptySettings]),
  // A HEADERS frame of 100 bytes, of which 20 come.
  'half a frame': Buffer.concat([
    preface,
    emptySettings,
    Buffer.from([0, 0, 100, 1, 4, 0, 0, 0, 1]),
    Buffer.alloc(20, 0x82),
  ]),
  'half an HTTP/1.1 request': Buffer.from('GET /health HTTP/1.1\r\nHost: x\r\nX-Y: '),
  nonsense: Buffer.from('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is not for you \0\0\0\0\r\n\r\n'),
} as const;

/** Connects and says that much. Its errors are expected: the server may close it as it likes. */
export function openSocket(port: number, opening: Buffer): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.on('error', () => socket.destroy());
      if (opening.length > 0) socket.write(opening);
      socket.resume();
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** How many files a process may open here at the most; Node raises its own limit to that. */
export function openFilesMax(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn']).toString().trim();
  return limit === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(limit);
}
