import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mustHave, startEtcd } from '../support/etcd.ts';
import { startKedge } from '../support/kedge.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { KEDGE_HAS, STORIES, type Step } from './client-cases.ts';
import { runEtcdctl } from './etcdctl-process.ts';
import { type Ran, runClient } from './in-process.ts';
import { normalized } from './normalized.ts';

/** Our client and etcdctl 3.5, each at a server of its own of one kind, told the same stories. */
const KINDS = [
  { kind: 'etcd 3.5', start: () => startEtcd('3.5'), has: [undefined, 'auth', 'members'] },
  { kind: 'kedge', start: () => startKedge(), has: KEDGE_HAS },
] as const;

describe.each(KINDS)('at $kind', ({ start, has }) => {
  if (!mustHave('3.5')) return test.skip('needs etcdctl 3.5');
  let theirs: ServerProcess;
  let ours: ServerProcess;
  beforeAll(async () => {
    [theirs, ours] = await Promise.all([start(), start()]);
  });
  afterAll(async () => {
    await Promise.all([theirs.kill(), ours.kill()]);
  });

  const told = STORIES.filter(({ needs }) => has.some((had) => had === needs));
  test.each(told)('$name', async ({ steps, anyOrder = false }) => {
    const variables = (server: ServerProcess, step: Step) => ({
      // etcdctl refuses a flag and its variable together.
      ...(step.words.includes('--endpoints') ? {} : { ETCDCTL_ENDPOINTS: server.endpoint }),
      ...step.environment,
    });
    const etcdctl = new Side(theirs, (words, step) => runEtcdctl('3.5', words, variables(theirs, step), step.input));
    const kedge = new Side(ours, (words, step) => runClient(words, variables(ours, step), step.input));
    const differences: unknown[] = [];
    for (const step of steps) {
      const [expected, got] = await Promise.all([etcdctl.take(step), kedge.take(step)]);
      if (!isDeepStrictEqual(arranged(got, anyOrder), arranged(expected, anyOrder)))
        differences.push({ step, expected, got });
    }
    expect(differences).toEqual([]);
  });
});

function arranged(ran: Ran, anyOrder: boolean): Ran {
  return anyOrder
    ? {
        ...ran,
        stdout: ran.stdout
          .split(/[,\n{}[\]"]/)
          .sort()
          .join('\n'),
      }
    : ran;
}

/** One client at its server, and the ids that it was told. */
class Side {
  private readonly server: ServerProcess;
  private readonly run: (words: readonly string[], step: Step) => Promise<Ran>;
  private readonly ids = { lease: '', member: '' };

  constructor(server: ServerProcess, run: (words: readonly string[], step: Step) => Promise<Ran>) {
    this.server = server;
    this.run = run;
  }

  async take(step: Step): Promise<Ran> {
    const words = step.words.map((word) =>
      word.replace(/\{(lease|member)\}/, (_, kind: 'lease' | 'member') => this.ids[kind]),
    );
    const ran = await this.run(words, step);
    this.ids.lease = /^lease ([0-9a-f]{16}) granted/m.exec(ran.stdout)?.[1] ?? this.ids.lease;
    this.ids.member = /^Member +([0-9a-f]+) added/m.exec(ran.stdout)?.[1] ?? this.ids.member;
    return normalized(ran, this.server, words.includes('protobuf'));
  }
}
