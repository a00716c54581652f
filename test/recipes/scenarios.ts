import type { EtcdClient } from '../support/client.ts';
import { RpcError } from '../support/client.ts';
import type { CampaignResponse, KeyValue, LeaderResponse } from '../support/messages.ts';

/** One story told to a server. What it answers is written down, so that two servers can be held against each other. */
export interface Scenario {
  readonly name: string;
  run(client: EtcdClient, told: Told): Promise<void>;
}

/** What was answered, in order. */
export class Told {
  readonly lines: string[] = [];

  note(line: string): void {
    this.lines.push(line);
  }

  /** The answer, or the refusal. */
  async outcome<T>(label: string, call: Promise<T>, show: (answer: T) => string): Promise<void> {
    try {
      this.note(`${label}: ${show(await call)}`);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      this.note(`${label}: ${error}`);
    }
  }
}

const TTL_SECONDS = 60;

const b = (text: string): Buffer => Buffer.from(text);

async function leases(client: EtcdClient, ...ids: readonly number[]): Promise<void> {
  for (const ID of ids) await client.call('Lease/LeaseGrant', { ID, TTL: TTL_SECONDS });
}

async function keysUnder(client: EtcdClient, prefix: string): Promise<string> {
  const { kvs } = await client.call('KV/Range', { key: b(prefix), range_end: b(`${prefix}\xff`) });
  return kvs.map(shownKv).join(' ');
}

/** Waits until as many keys are there: the server got that far. */
async function untilKeys(client: EtcdClient, prefix: string, count: number): Promise<void> {
  for (;;) {
    const { kvs } = await client.call('KV/Range', { key: b(prefix), range_end: b(`${prefix}\xff`) });
    if (kvs.length === count) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function shownKv(kv: KeyValue): string {
  return `${kv.key}=${kv.value}@${kv.create_revision}/${kv.mod_revision}v${kv.version}l${kv.lease}`;
}

const header = (answer: { readonly header: { readonly revision: string } | null }): string =>
  `rev ${answer.header?.revision}`;
const leader = (answer: CampaignResponse): string => {
  const found = answer.leader;
  return `${header(answer)} leader ${found?.name} ${found?.key} ${found?.rev} ${found?.lease}`;
};
const observed = (answer: LeaderResponse): string =>
  `${header(answer)} ${answer.kv === null ? 'none' : shownKv(answer.kv)}`;

export const scenarios: readonly Scenario[] = [
  {
    name: 'a free lock is had at once, twice with the same lease is once',
    async run(client, told) {
      await leases(client, 0x101);
      const shown = (answer: { header: { revision: string } | null; key: Buffer }): string =>
        `${header(answer)} ${answer.key}`;
      await told.outcome('lock', client.call('Lock/Lock', { name: b('a'), lease: 0x101 }), shown);
      await told.outcome('again', client.call('Lock/Lock', { name: b('a'), lease: 0x101 }), shown);
      told.note(await keysUnder(client, 'a/'));
      await told.outcome('unlock', client.call('Lock/Unlock', { key: b('a/101') }), header);
      await told.outcome('unlock of nothing', client.call('Lock/Unlock', { key: b('a/101') }), header);
      told.note(await keysUnder(client, 'a/'));
      await told.outcome('no name', client.call('Lock/Lock', { lease: 0x101 }), shown);
    },
  },
  {
    name: 'waiters get the lock in the order of their keys',
    async run(client, told) {
      await leases(client, 1, 2, 3);
      await client.call('Lock/Lock', { name: b('q'), lease: 1 });
      const order: string[] = [];
      const second = client.call('Lock/Lock', { name: b('q'), lease: 2 }).then((got) => {
        order.push('second');
        return got;
      });
      await untilKeys(client, 'q/', 2);
      const third = client.call('Lock/Lock', { name: b('q'), lease: 3 }).then((got) => {
        order.push('third');
        return got;
      });
      await untilKeys(client, 'q/', 3);
      told.note(await keysUnder(client, 'q/'));
      await client.call('Lock/Unlock', { key: b('q/1') });
      await told.outcome('second', second, (got) => `${header(got)} ${got.key}`);
      await client.call('Lock/Unlock', { key: b('q/2') });
      await told.outcome('third', third, (got) => `${header(got)} ${got.key}`);
      told.note(order.join(' '));
    },
  },
  {
    name: 'a waiter that is cancelled leaves no key, and the next waits for the holder',
    async run(client, told) {
      await leases(client, 11, 12, 13);
      await client.call('Lock/Lock', { name: b('c'), lease: 11 });
      const waiting = client.stream('Lock/Lock');
      waiting.send({ name: b('c'), lease: 12 });
      waiting.halfClose();
      await untilKeys(client, 'c/', 2);
      const third = client.call('Lock/Lock', { name: b('c'), lease: 13 });
      await untilKeys(client, 'c/', 3);
      waiting.cancel();
      await untilKeys(client, 'c/', 2);
      told.note(await keysUnder(client, 'c/'));
      await client.call('Lock/Unlock', { key: b('c/b') });
      await told.outcome('third', third, (got) => `${got.key}`);
    },
  },
  {
    name: 'a lease that ends lets the lock go, and ends its own waiting',
    async run(client, told) {
      await leases(client, 21, 22, 23);
      await client.call('Lock/Lock', { name: b('l'), lease: 21 });
      const second = client.call('Lock/Lock', { name: b('l'), lease: 22 });
      await untilKeys(client, 'l/', 2);
      const third = client.call('Lock/Lock', { name: b('l'), lease: 23 });
      await untilKeys(client, 'l/', 3);
      await client.call('Lease/LeaseRevoke', { ID: 22 });
      await client.call('Lease/LeaseRevoke', { ID: 21 });
      await told.outcome('second', second, (got) => `${got.key}`);
      await told.outcome('third', third, (got) => `${got.key}`);
    },
  },
  {
    name: 'what is refused',
    async run(client, told) {
      await leases(client, 31);
      await told.outcome('lease unknown', client.call('Lock/Lock', { name: b('r'), lease: 999 }), header);
      await told.outcome('unlock without key', client.call('Lock/Unlock', {}), header);
      await told.outcome(
        'campaign, lease unknown',
        client.call('Election/Campaign', { name: b('r'), lease: 999 }),
        leader,
      );
      await told.outcome('no leader', client.call('Election/Leader', { name: b('r') }), observed);
      await told.outcome('proclaim without leader', client.call('Election/Proclaim', { value: b('v') }), header);
      await told.outcome('resign without leader', client.call('Election/Resign', {}), header);
      const stranger = { name: b('r'), key: b('r/1f'), rev: 7, lease: 31 };
      await told.outcome(
        'proclaim as stranger',
        client.call('Election/Proclaim', { leader: stranger, value: b('v') }),
        header,
      );
      await told.outcome('resign as stranger', client.call('Election/Resign', { leader: stranger }), header);
      const keyless = { name: b('r'), rev: 7, lease: 31 };
      await told.outcome('proclaim without key', client.call('Election/Proclaim', { leader: keyless }), header);
      await told.outcome('resign without key', client.call('Election/Resign', { leader: keyless }), header);
    },
  },
  {
    name: 'campaign, proclaim, resign; the next leads',
    async run(client, told) {
      await leases(client, 41, 42);
      const first = await client.call('Election/Campaign', { name: b('e'), lease: 41, value: b('one') });
      told.note(`first: ${leader(first)}`);
      await told.outcome('leader', client.call('Election/Leader', { name: b('e') }), observed);
      await told.outcome(
        'same value again',
        client.call('Election/Campaign', { name: b('e'), lease: 41, value: b('one') }),
        leader,
      );
      await told.outcome(
        'other value',
        client.call('Election/Campaign', { name: b('e'), lease: 41, value: b('uno') }),
        leader,
      );
      await told.outcome(
        'proclaim',
        client.call('Election/Proclaim', { leader: first.leader ?? {}, value: b('eins') }),
        header,
      );
      const second = client.call('Election/Campaign', { name: b('e'), lease: 42, value: b('two') });
      await untilKeys(client, 'e/', 2);
      told.note(await keysUnder(client, 'e/'));
      await told.outcome('resign', client.call('Election/Resign', { leader: first.leader ?? {} }), header);
      await told.outcome('second', second, leader);
      await told.outcome(
        'too late',
        client.call('Election/Proclaim', { leader: first.leader ?? {}, value: b('x') }),
        header,
      );
      await told.outcome('leader', client.call('Election/Leader', { name: b('e') }), observed);
    },
  },
  {
    name: 'a candidate that is cancelled withdraws',
    async run(client, told) {
      await leases(client, 51, 52);
      await client.call('Election/Campaign', { name: b('w'), lease: 51, value: b('one') });
      const waiting = client.stream('Election/Campaign');
      waiting.send({ name: b('w'), lease: 52, value: b('two') });
      waiting.halfClose();
      await untilKeys(client, 'w/', 2);
      waiting.cancel();
      await untilKeys(client, 'w/', 1);
      told.note(await keysUnder(client, 'w/'));
    },
  },
  {
    name: 'observe tells each value, from before the first candidate to after the second',
    async run(client, told) {
      await leases(client, 61, 62);
      const observer = client.stream('Election/Observe');
      observer.send({ name: b('o') });
      observer.halfClose();
      await observer.anythingWithin(300);
      const first = await client.call('Election/Campaign', { name: b('o'), lease: 61, value: b('one') });
      told.note(observed(await observer.take()));
      await client.call('Election/Proclaim', { leader: first.leader ?? {}, value: b('eins') });
      told.note(observed(await observer.take()));
      const second = client.call('Election/Campaign', { name: b('o'), lease: 62, value: b('two') });
      await untilKeys(client, 'o/', 2);
      await client.call('Election/Resign', { leader: first.leader ?? {} });
      await second;
      told.note(observed(await observer.take()));
      await client.call('Lease/LeaseRevoke', { ID: 62 });
      told.note(`more: ${await observer.anythingWithin(200)}`);
      observer.cancel();
    },
  },
  {
    name: 'without a lease one of a minute is made',
    async run(client, told) {
      const before = (await client.call('Lease/LeaseLeases', {})).leases.length;
      const { key } = await client.call('Lock/Lock', { name: b('m') });
      const after = (await client.call('Lease/LeaseLeases', {})).leases;
      told.note(`${after.length - before} lease`);
      const id = BigInt(`0x${key.toString().slice('m/'.length)}`);
      const { grantedTTL } = await client.call('Lease/LeaseTimeToLive', { ID: id });
      told.note(`granted ${grantedTTL}`);
    },
  },
];
