import { parseArgs } from 'node:util';
import { DATABASES, type Database, pause } from '../shared/database.ts';
import { Fleet } from '../shared/fleet.ts';
import { kedgeCheck } from '../shared/run.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { type KubeApi, KubeInformer, type KubeList, type KubeObject } from './kube-api.ts';
import { ControlPlane, makeNodes, untilReady } from './kube-control-plane.ts';

/*
 *   node dist/test/tools/kubernetes-faults.js --programs FOLDER [--database PostgreSQL|MariaDB] [--pause-seconds 20]
 *
 * Two real kube-apiservers on two kedges on one real database, and what can happen to them. FOLDER has kube-apiserver,
 * kube-controller-manager and kube-scheduler. Meanwhile clients make config maps and count up a counter by compare and
 * swap through both; informers watch through both. After each fault a new deployment must be scheduled. At the end all
 * that was acknowledged must be there, both servers and all informers must show the same, and the counter must be exact.
 * Takes about five minutes; exits with 1 when something is wrong.
 */

const { values } = parseArgs({
  options: {
    programs: { type: 'string' },
    database: { type: 'string', default: 'PostgreSQL' },
    'pause-seconds': { type: 'string', default: '20' },
  },
});
const MAPS = '/api/v1/namespaces/default/configmaps';
const COUNTER = `${MAPS}/counter`;
const POD_LIST = '/api/v1/namespaces/default/pods';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const WRITERS = 4;
const PODS_EACH = 6;

/** What the clients were told. */
interface Told {
  readonly made: Set<string>;
  counted: number;
  /** Increments without an answer: each may have happened. */
  uncertain: number;
  refused: number;
  longestSilenceMs: number;
}

async function main(): Promise<void> {
  const { programs, database: name } = values;
  const kind = DATABASES.find((each) => each.name === name);
  if (programs === undefined || kind === undefined)
    throw new Error('--programs FOLDER [--database PostgreSQL|MariaDB]');
  const database = await kind.start();
  const url = database.url();
  const fleet = await Fleet.start([{ url }, { url }]);
  const plane = new ControlPlane(programs, temporaryFolder('control-plane'));
  const stop = async (): Promise<void> => {
    plane.stop();
    await fleet.stop();
    await database.dispose();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void stop().finally(() => process.exit(130)));
  }
  try {
    say(`two kedges on ${name} at ${fleet.endpoints.join(' and ')}; logs of Kubernetes in ${plane.folder}`);
    await plane.start(fleet.endpoints);
    await story(database, fleet, plane);
  } finally {
    await stop();
  }
}

async function story(database: Database, fleet: Fleet, plane: ControlPlane): Promise<void> {
  const [a, b] = plane.apis;
  if (a === undefined || b === undefined) throw new Error('two servers are needed');
  await makeNodes(a, 3);
  await a.ask('POST', MAPS, { metadata: { name: 'counter' }, data: { count: '0' } });
  const informers = [a, b].map((api) => new KubeInformer(api, MAPS).start());
  const podInformers = [a, b].map((api) => new KubeInformer(api, POD_LIST).start());
  await deploy(a, b, 'before');
  const told: Told = { made: new Set(), counted: 0, uncertain: 0, refused: 0, longestSilenceMs: 0 };
  let running = true;
  const writers = Array.from({ length: WRITERS }, (_, i) => write([a, b], i, told, () => running));

  const pauseMs = 1000 * Number(values['pause-seconds']);
  const faults: Readonly<Record<string, () => Promise<void>>> = {
    'replica 0 killed': () => killReplica(fleet, 0),
    'replica 1 killed': () => killReplica(fleet, 1),
    'both replicas killed': async () => {
      await Promise.all([killReplica(fleet, 0), killReplica(fleet, 1)]);
    },
    'database killed': () => database.crash(),
    [`database stopped for ${pauseMs / 1000} s`]: () => database.freeze(pauseMs),
    'database restarted': () => database.restart(),
  };
  for (const [fault, happen] of Object.entries(faults)) {
    await pause(3_000);
    told.longestSilenceMs = 0;
    const before = told.made.size;
    const beganMs = performance.now();
    await happen();
    const overMs = performance.now();
    await Promise.all([untilReady(a), untilReady(b)]);
    const readyMs = performance.now();
    const label = fault.replaceAll(/[^a-z0-9]+/g, '-');
    await deploy(a, b, label);
    say(
      `${fault}: took ${seconds(overMs - beganMs)}, both servers ready ${seconds(readyMs - overMs)} later, ` +
        `${PODS_EACH} new pods scheduled ${seconds(performance.now() - readyMs)} after that; ` +
        `${told.made.size - before} config maps made meanwhile, longest time without an answer ${seconds(told.longestSilenceMs)}`,
    );
  }

  running = false;
  await Promise.all(writers);
  await pause(3_000);
  const problems = await differences([a, b], told, informers, podInformers);
  for (const informer of [...informers, ...podInformers]) await informer.stop();
  say(
    `${told.made.size} config maps acknowledged, ${told.refused} calls refused or unanswered; ` +
      `counter: ${told.counted} acknowledged, ${told.uncertain} uncertain`,
  );
  say(
    `informers: ${[...informers, ...podInformers].map((each) => `${each.events} events, ${each.lists} lists`).join('; ')}`,
  );
  say(await kedgeCheck(fleet.endpoints));
  say(`started again: ${plane.restarts}`);
  for (const problem of problems) say(`WRONG: ${problem}`);
  say(problems.length === 0 ? 'all is there, and everybody sees the same' : `${problems.length} problems`);
  if (problems.length > 0) process.exitCode = 1;
}

async function killReplica(fleet: Fleet, i: number): Promise<void> {
  await fleet.killReplica(i);
  await pause(500);
  await fleet.startReplica(i);
}

/** Makes config maps and counts up, through both servers in turn, until told to stop. */
async function write(apis: readonly KubeApi[], writer: number, told: Told, running: () => boolean): Promise<void> {
  let answeredMs = performance.now();
  for (let i = 0; running(); i += 1) {
    const api = apis[(writer + i) % apis.length];
    if (api === undefined) return;
    const name = `map-${writer}-${i}`;
    const made = await api.ask('POST', MAPS, { metadata: { name }, data: { writer: String(writer) } });
    if (made.status === 201) told.made.add(name);
    else told.refused += 1;
    if (made.status === 201 || made.status === 409) answeredMs = performance.now();
    told.longestSilenceMs = Math.max(told.longestSilenceMs, performance.now() - answeredMs);
    if (i % 5 === 0) await count(api, told);
    await pause(20);
  }
}

async function count(api: KubeApi, told: Told): Promise<void> {
  const { status, text } = await api.ask('GET', COUNTER);
  if (status !== 200) return;
  const counter = JSON.parse(text) as KubeObject;
  const next = { ...counter, data: { count: String(Number(counter.data?.['count']) + 1) } };
  const put = await api.ask('PUT', COUNTER, next);
  if (put.status === 200) told.counted += 1;
  else if (put.status !== 409) told.uncertain += 1;
}

/** A new deployment through the one server, and its pods on nodes through the other. */
async function deploy(writeTo: KubeApi, readFrom: KubeApi, name: string): Promise<void> {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'none' }] } };
  const deployment = { metadata: { name }, spec: { replicas: PODS_EACH, selector: { matchLabels: labels }, template } };
  for (let attempt = 0; ; attempt += 1) {
    const { status, text } = await writeTo.ask('POST', DEPLOYMENTS, deployment);
    if (status === 201 || status === 409) break;
    if (attempt > 120) throw new Error(`deployment ${name}: ${status} ${text}`);
    await pause(500);
  }
  for (let attempt = 0; ; attempt += 1) {
    const { items } = await readFrom.get<KubeList>(`${POD_LIST}?labelSelector=app%3D${name}`);
    if (items.filter(({ spec }) => spec?.nodeName !== undefined).length >= PODS_EACH) return;
    if (attempt > 600) throw new Error(`the pods of ${name} are not scheduled: ${items.length} are there`);
    await pause(250);
  }
}

async function differences(
  apis: readonly KubeApi[],
  told: Told,
  informers: readonly KubeInformer[],
  podInformers: readonly KubeInformer[],
): Promise<string[]> {
  const problems: string[] = [];
  for (const [i, api] of apis.entries()) {
    const maps = picture(await api.get<KubeList>(MAPS));
    const pods = picture(await api.get<KubeList>(POD_LIST));
    const lost = [...told.made].filter((name) => !maps.has(name));
    if (lost.length > 0) problems.push(`server ${i} has lost ${lost.length}: ${lost.slice(0, 5).join(', ')}`);
    for (const informer of informers) problems.push(...compare(`config maps of server ${i}`, maps, informer.picture));
    for (const informer of podInformers) problems.push(...compare(`pods of server ${i}`, pods, informer.picture));
    const counter = await api.get<KubeObject>(COUNTER);
    const reached = Number(counter.data?.['count']);
    if (reached < told.counted || reached > told.counted + told.uncertain)
      problems.push(
        `server ${i} has counted ${reached}, ${told.counted} to ${told.counted + told.uncertain} were told`,
      );
  }
  return problems;
}

function picture({ items }: KubeList): Map<string, string> {
  return new Map(items.map(({ metadata }) => [metadata.name, metadata.resourceVersion ?? '']));
}

function compare(what: string, there: ReadonlyMap<string, string>, seen: ReadonlyMap<string, string>): string[] {
  const names = new Set([...there.keys(), ...seen.keys()]);
  const wrong = [...names].filter((name) => there.get(name) !== seen.get(name));
  return wrong
    .slice(0, 5)
    .map((name) => `${what}: ${name} is at ${there.get(name)}, an informer has ${seen.get(name)}`);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function say(text: string): void {
  process.stdout.write(`${text.trimEnd()}\n`);
}

await main();
