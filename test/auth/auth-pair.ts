import { normalForm } from '../parity/normal-form.ts';
import { EtcdClient, RpcError } from '../support/client.ts';
import { startEtcd } from '../support/etcd.ts';
import { startKedge } from '../support/kedge.ts';
import type { UnaryMethods } from '../support/messages.ts';
import type { ServerProcess } from '../support/server-process.ts';

/** Cheap hashes: the tests are about everything else. */
const ARGS = ['--bcrypt-cost=4'];

/** A step of both: a method, what is asked, and as whom (`undefined`: nobody, a name: with his token of before). */
export type AuthStep = readonly [method: keyof UnaryMethods, request: object, as?: string | undefined];

/** kedge and a real etcd, asked the same. */
export class AuthPair {
  readonly #servers: readonly ServerProcess[];
  readonly #clients: readonly EtcdClient[];
  /** By server: the tokens that were given out, by user. */
  readonly #tokens: readonly Map<string, string>[] = [new Map(), new Map()];

  constructor(etcd: ServerProcess, kedge: ServerProcess) {
    this.#servers = [etcd, kedge];
    this.#clients = this.#servers.map(({ endpoint }) => new EtcdClient(endpoint));
  }

  static async start(args: readonly string[] = []): Promise<AuthPair> {
    const all = [...ARGS, ...args];
    return new AuthPair(await startEtcd('3.5', { args: all }), await startKedge({ args: all }));
  }

  /** etcd's answers and kedge's, in the order of the steps, in normal form. */
  async run(steps: readonly AuthStep[]): Promise<{ readonly etcd: string[]; readonly kedge: string[] }> {
    const [etcd = [], kedge = []] = await Promise.all([0, 1].map((side) => this.#runOn(side, steps)));
    return { etcd, kedge };
  }

  async #runOn(side: number, steps: readonly AuthStep[]): Promise<string[]> {
    const told: string[] = [];
    for (const step of steps) told.push(`${described(step)} → ${await this.#ask(side, step)}`);
    return told;
  }

  /** Its token is kept for later steps. */
  async #ask(side: number, [method, request, as]: AuthStep): Promise<string> {
    const client = this.#client(side, as);
    try {
      const answer = await client.call(method, request as never);
      if (!('token' in answer)) return normalForm(answer);
      const { name = '' } = request as { readonly name?: string };
      this.#tokens[side]?.set(name, answer.token);
      return normalForm({ ...answer, token: answer.token === '' ? 'none' : 'some' });
    } catch (error) {
      if (error instanceof RpcError) return error.toString();
      throw error;
    }
  }

  /** A client of one server, with that user's token. */
  #client(side: number, as: string | undefined): EtcdClient {
    const client = this.#clients[side];
    if (client === undefined) throw new Error('no such side');
    client.token = as === undefined ? undefined : (this.#tokens[side]?.get(as) ?? as);
    return client;
  }

  /** What a server gave a user when he last logged in: 0 is etcd, 1 kedge. */
  tokenOf(side: number, user: string): string {
    const token = this.#tokens[side]?.get(user);
    if (token === undefined) throw new Error(`${user} has not logged in`);
    return token;
  }

  /** The same for both, one after the other. */
  async each<T>(as: string | undefined, ask: (client: EtcdClient) => Promise<T>): Promise<{ etcd: T; kedge: T }> {
    return { etcd: await ask(this.#client(0, as)), kedge: await ask(this.#client(1, as)) };
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await Promise.all(this.#servers.map((server) => server.kill()));
  }
}

function described([method, request, as]: AuthStep): string {
  const shown = JSON.stringify(request, (_, value: unknown) =>
    isBuffer(value) ? Buffer.from(value.data).toString() : value,
  );
  return `${as ?? '-'}: ${method} ${shown}`;
}

function isBuffer(value: unknown): value is { readonly data: number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer';
}

/** Some refusals of Maintenance leave etcd 3.5 in its inner words, without a code; 3.7 tells them as all others. */
export function mended(told: string): string {
  return told
    .replace('UNKNOWN: auth: user name is empty', 'INVALID_ARGUMENT: etcdserver: user name is empty')
    .replace('UNKNOWN: auth: permission denied', 'PERMISSION_DENIED: etcdserver: permission denied')
    .replace('UNKNOWN: auth: invalid auth token', 'UNAUTHENTICATED: etcdserver: invalid auth token');
}
