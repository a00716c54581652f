import { EtcdClient, RpcError } from '../support/client.ts';
import { compact, del, get, put, rangeStream, splitFirst, txn } from './kv-commands.ts';
import { lease } from './lease-commands.ts';
import {
  alarm,
  defragment,
  downgrade,
  hash,
  hashKv,
  health,
  member,
  moveLeader,
  snapshot,
  status,
} from './maintenance-commands.ts';
import type { Block, Command } from './script-file.ts';
import { WatchCommands } from './watch-commands.ts';

/** Runs a script's commands on one server and says what came out. */
export class Interpreter {
  private readonly client: EtcdClient;
  private readonly watches: WatchCommands;

  constructor(endpoint: string) {
    this.client = new EtcdClient(endpoint);
    this.watches = new WatchCommands(this.client);
  }

  async run(block: Block): Promise<string[]> {
    const output: string[] = [];
    for (const command of block.commands) output.push(...(await this.execute(command)));
    return output;
  }

  close(): void {
    this.watches.close();
    this.client.close();
  }

  private async execute(command: Command): Promise<string[]> {
    try {
      return await this.dispatch(command);
    } catch (error) {
      if (error instanceof RpcError) return [`error ${error.toString()}`];
      throw new Error(`${command.line}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }

  private dispatch(command: Command): Promise<string[]> {
    const [verb, rest] = splitFirst(command.line);
    switch (verb) {
      case 'put':
        return put(this.client, rest);
      case 'puts':
        return this.puts(rest);
      case 'get':
        return get(this.client, rest);
      case 'del':
        return del(this.client, rest);
      case 'txn':
        return txn(this.client, command);
      case 'compact':
        return compact(this.client, rest);
      case 'stream':
        return rangeStream(this.client, rest);
      case 'watch':
        return this.watches.run(rest);
      case 'lease':
        return lease(this.client, rest);
      case 'hashkv':
        return hashKv(this.client, rest);
      case 'hash':
        return hash(this.client);
      case 'status':
        return status(this.client);
      case 'alarm':
        return alarm(this.client, rest);
      case 'defragment':
        return defragment(this.client);
      case 'move_leader':
        return moveLeader(this.client, rest);
      case 'downgrade':
        return downgrade(this.client, rest);
      case 'snapshot':
        return snapshot(this.client);
      case 'member':
        return member(this.client, rest);
      case 'health':
        return health(this.client, rest);
      default:
        throw new Error(`no command ${verb}`);
    }
  }

  /** puts PREFIX COUNT BYTES: many keys, to fill a store; prints the last answer. */
  private async puts(text: string): Promise<string[]> {
    const [prefix = '', count = '0', bytes = '0'] = text.split(' ');
    const value = Buffer.alloc(Number(bytes), 'x').toString();
    let last: string[] = [];
    for (let i = 0; i < Number(count); i++) last = await put(this.client, `${prefix}${i} ${value}`);
    return last;
  }
}
