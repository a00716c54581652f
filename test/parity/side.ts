import { join } from 'node:path';
import { EtcdClient, RpcError } from '../support/client.ts';
import type { WatchRequest } from '../support/messages.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { removeFolder, temporaryFolder } from '../support/temporary.ts';
import { normalForm } from './normal-form.ts';
import type { CallStep } from './step.ts';
import { WatchObserver } from './watch-observer.ts';

/** One of the two servers that are held against each other. */
export class Side {
  readonly name: string;
  /** Whether progress requests are answered reliably: not by 3.4. */
  private readonly tellsProgress: boolean;
  private readonly start: () => Promise<ServerProcess>;
  /** Whether a watch of the past has begun since it last settled. */
  private catchingUp = false;
  private server: ServerProcess | undefined;
  private connected: EtcdClient | undefined;
  private streams = new Map<number, WatchObserver>();

  private readonly folder = temporaryFolder('parity');

  /** `start` starts the server, again and again on the data in a folder of its own. */
  constructor(name: string, start: (dataDir: string) => Promise<ServerProcess>, tellsProgress: boolean) {
    this.name = name;
    this.tellsProgress = tellsProgress;
    this.start = () => start(join(this.folder, 'data'));
  }

  async open(): Promise<void> {
    this.server = await this.start();
    this.connected = new EtcdClient(this.server.endpoint);
  }

  async restart(): Promise<void> {
    this.disconnect();
    await this.server?.stop();
    await this.open();
  }

  /** The end: its data goes too, for an etcd takes 64 MiB and up. */
  async close(): Promise<void> {
    this.disconnect();
    await this.server?.kill();
    removeFolder(this.folder);
  }

  /** What the server answers, in normal form; a refusal too. */
  async call(step: CallStep): Promise<string> {
    return this.outcome(this.client.call(step.method, step.request as never));
  }

  async keepAlive(id: string): Promise<string> {
    const stream = this.client.stream('Lease/LeaseKeepAlive');
    stream.send({ ID: id });
    return this.outcome(stream.take().finally(() => stream.halfClose()));
  }

  stream(number: number): WatchObserver {
    const open = this.streams.get(number) ?? new WatchObserver(this.client);
    this.streams.set(number, open);
    return open;
  }

  /** Sends, and waits for the answer if one must come. */
  async watch(number: number, request: WatchRequest): Promise<void> {
    const stream = this.stream(number);
    const answered = stream.controls;
    const answers =
      request.create_request !== undefined ||
      (request.cancel_request !== undefined && stream.live.has(String(request.cancel_request.watch_id ?? 0)));
    stream.send(request);
    if (Number(request.create_request?.start_revision ?? 0) !== 0) this.catchingUp = true;
    if (answers) await until(() => stream.controls > answered);
  }

  /**
   * Waits until every watch has caught up: until a stream's progress is the head. Where a server cannot be asked (3.4),
   * until its loop for watches that are behind, which runs every 100 ms, must have come round.
   */
  async settle(): Promise<void> {
    if (!this.tellsProgress && this.catchingUp) await new Promise((resolve) => setTimeout(resolve, 250));
    this.catchingUp = false;
    const head = Number((await this.client.call('KV/Range', { key: Buffer.from('a') })).header?.revision);
    for (const stream of this.tellsProgress ? this.streams.values() : []) {
      await until(async () => {
        if (stream.live.size === 0 || stream.progressRevision >= head) return true;
        stream.send({ progress_request: {} });
        await until(() => stream.progressRevision >= head, 20);
        return false;
      });
      if (stream.live.size > 0 && stream.progressRevision !== head) {
        throw new Error(`${this.name}: progress ${stream.progressRevision} at revision ${head}`);
      }
    }
  }

  get pictures(): string {
    return [...this.streams]
      .sort(([a], [b]) => a - b)
      .map(([number, stream]) => `stream ${number}\n${stream.picture}`)
      .join('\n');
  }

  get broken(): string | undefined {
    return [...this.streams.values()].find((stream) => stream.broken !== undefined)?.broken;
  }

  get client(): EtcdClient {
    if (this.connected === undefined) throw new Error(`${this.name} is not open`);
    return this.connected;
  }

  private async outcome(answer: Promise<unknown>): Promise<string> {
    try {
      return normalForm(await answer);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (error.code === 'UNAVAILABLE')
        throw new Error(`${this.name} is gone: ${error.message}\n${this.server?.output}`);
      return error.toString();
    }
  }

  private disconnect(): void {
    for (const stream of this.streams.values()) stream.close();
    this.streams = new Map();
    this.connected?.close();
  }
}

/** Waits for what must come; gives up silently after a while, for then the comparison that follows shows it. */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 5_000): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return true;
}
