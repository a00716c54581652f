import { Agent, request as httpRequest } from 'node:http';
import { describe, expect, it } from 'vitest';
import { ErrorCode, Flag, FrameType } from '../../src/wire/frames.ts';
import { frame, message, RawClient, request, requestHeaders } from './raw-client.ts';
import { startRig, until } from './rig.ts';

const { goaway, ping, data } = FrameType;

/** Answers the server's pings, as every real client does. */
function answerPings(client: RawClient): void {
  let seen = 0;
  client.socket.on('data', () => {
    for (const f of client.frames.slice(seen)) {
      if (f.type === ping && (f.flags & Flag.ack) === 0) client.send(frame(ping, Flag.ack, 0, f.payload));
    }
    seen = client.frames.length;
  });
}

describe('drain', () => {
  it('finishes the calls under way, takes those that crossed with GOAWAY, ignores later ones, then closes', async () => {
    const rig = await startRig();
    const client = await RawClient.open(rig.port);
    client.send(request(1, '/test.Echo/Park', 'x'));
    await until(() => rig.parked.length === 1);

    const drained = rig.server.drain(10_000);
    const first = await client.next((f) => f.type === goaway);
    expect([first.payload.readUInt32BE(0), first.payload.readUInt32BE(4)]).toEqual([2 ** 31 - 1, ErrorCode.noError]);
    // Sent before the client knew.
    client.send(request(3, '/test.Echo/Unary', 'crossed'));
    await client.trailers(3);
    const asked = await client.next((f) => f.type === ping);
    client.send(frame(ping, Flag.ack, 0, asked.payload));
    const second = await client.next((f) => f.type === goaway && f !== first);
    expect(second.payload.readUInt32BE(0)).toBe(3);

    client.send(request(5, '/test.Echo/Unary', 'too late'), frame(data, 0, 5, message('more')));
    rig.parked[0]?.answer(Buffer.from('done'));
    expect((await client.trailers(1)).fields.get('grpc-status')).toBe('0');
    await client.closed();
    expect(client.frames.some((f) => f.streamId === 5)).toBe(false);
    await drained;
    expect(rig.stats.connections.value).toBe(0);
  });

  it('closes idle connections at once, HTTP/1.1 included, and refuses new ones', async () => {
    const rig = await startRig();
    const client = await RawClient.open(rig.port);
    answerPings(client);
    const undecided = new RawClient(rig.port);
    await until(() => rig.stats.connections.value === 2);
    const drained = rig.server.drain(60_000);
    await Promise.all([client.closed(), undecided.closed(), drained]);
    const refused = await new Promise((resolve) => {
      httpRequest({ port: rig.port, host: '127.0.0.1' }).on('error', resolve).end();
    });
    expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('a kept HTTP/1.1 connection closes after the answer under way', async () => {
    const rig = await startRig();
    const agent = new Agent({ keepAlive: true });
    const response = new Promise<string | undefined>((resolve, reject) => {
      const asked = httpRequest({ port: rig.port, host: '127.0.0.1', path: '/slow', agent }, (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.headers.connection));
      });
      asked.on('error', reject);
      asked.end();
    });
    await until(() => rig.events.includes('slow'));
    const drained = rig.server.drain(60_000);
    rig.release();
    expect(await response).toBe('close');
    await drained;
    agent.destroy();
  });

  it('a client that does not answer the ping is not waited for', async () => {
    const rig = await startRig();
    const client = await RawClient.open(rig.port);
    await Promise.all([rig.server.drain(60_000), client.closed()]);
  });

  it('ends what is left after the grace', async () => {
    const rig = await startRig();
    const client = await RawClient.open(rig.port);
    client.send(request(1, '/test.Echo/Park', 'x'), requestHeaders(3, '/test.Echo/Stream'));
    await until(() => rig.parked.length === 1);
    await rig.server.drain(100);
    await client.closed();
    expect(rig.events.sort()).toEqual(['aborted', 'closed']);
  });
});
