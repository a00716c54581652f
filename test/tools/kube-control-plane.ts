import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../support/ports.ts';
import { KubeApi } from './kube-api.ts';

const TOKEN = 'admin-token';
const RESTART_MS = 1_000;

/** A real control plane: a kube-apiserver for each store's endpoint, one controller manager, one scheduler. */
export class ControlPlane {
  readonly apis: KubeApi[] = [];
  /** Logs, keys and kubeconfigs. */
  readonly folder: string;
  readonly #programs: string;
  readonly #children = new Map<string, ChildProcess>();
  readonly #restarts = new Map<string, number>();
  #isStopped = false;

  constructor(programs: string, folder: string) {
    this.#programs = programs;
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  async start(endpoints: readonly string[]): Promise<void> {
    const file = (name: string) => join(this.folder, name);
    execFileSync('openssl', ['genrsa', '-out', file('sa.key'), '2048'], { stdio: 'pipe' });
    execFileSync('openssl', ['rsa', '-in', file('sa.key'), '-pubout', '-out', file('sa.pub')], { stdio: 'pipe' });
    writeFileSync(file('tokens.csv'), `${TOKEN},admin,admin,"system:masters"\n`, { mode: 0o600 });
    for (const [i, endpoint] of endpoints.entries()) {
      const port = await freePort();
      this.apis.push(new KubeApi(port, TOKEN));
      this.#run(`kube-apiserver-${i}`, 'kube-apiserver', [
        `--etcd-servers=http://${endpoint}`,
        `--secure-port=${port}`,
        '--bind-address=127.0.0.1',
        `--advertise-address=192.0.2.${i + 1}`,
        `--cert-dir=${file(`certs-${i}`)}`,
        `--token-auth-file=${file('tokens.csv')}`,
        '--authorization-mode=RBAC',
        '--service-cluster-ip-range=10.77.0.0/24',
        '--service-account-issuer=https://kedge.test',
        `--service-account-key-file=${file('sa.pub')}`,
        `--service-account-signing-key-file=${file('sa.key')}`,
        '--allow-privileged',
      ]);
    }
    for (const api of this.apis) await untilReady(api);
    // Each at another server: what the one writes the other must hear of through the store.
    const [first, last] = [this.#kubeconfig(0), this.#kubeconfig(endpoints.length - 1)];
    this.#run('kube-controller-manager', 'kube-controller-manager', [
      `--kubeconfig=${first}`,
      '--leader-elect=true',
      '--use-service-account-credentials=false',
      `--service-account-private-key-file=${file('sa.key')}`,
      // The nodes are made up: nobody tells that they are alive.
      '--controllers=*,-nodelifecycle',
      '--bind-address=127.0.0.1',
      `--secure-port=${await freePort()}`,
      '--port=0',
      `--cert-dir=${file('certs-cm')}`,
    ]);
    this.#run('kube-scheduler', 'kube-scheduler', [
      `--kubeconfig=${last}`,
      '--leader-elect=true',
      '--bind-address=127.0.0.1',
      `--secure-port=${await freePort()}`,
      '--port=0',
      `--cert-dir=${file('certs-s')}`,
    ]);
  }

  /** How often each was started again. The controller manager and the scheduler end when they lose their leases. */
  get restarts(): string {
    return [...this.#restarts].map(([name, count]) => `${name} ${count}`).join(', ') || 'none';
  }

  stop(): void {
    this.#isStopped = true;
    for (const child of this.#children.values()) child.kill('SIGKILL');
  }

  /** Starts it, and starts it again when it ends, as a kubelet does. */
  #run(name: string, program: string, args: readonly string[]): void {
    const child = spawn(join(this.#programs, program), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const log = createWriteStream(join(this.folder, `${name}.log`), { flags: 'a' });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    this.#children.set(name, child);
    child.once('exit', () => {
      if (this.#isStopped) return;
      this.#restarts.set(name, (this.#restarts.get(name) ?? 0) + 1);
      setTimeout(() => {
        if (!this.#isStopped) this.#run(name, program, args);
      }, RESTART_MS);
    });
  }

  #kubeconfig(i: number): string {
    const path = join(this.folder, `kubeconfig-${i}`);
    const server = `https://127.0.0.1:${this.apis[i]?.port}`;
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token: TOKEN } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    };
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
    return path;
  }
}

/** Nodes without a kubelet, for pods to be scheduled on. */
export async function makeNodes(api: KubeApi, count: number): Promise<void> {
  const resources = { cpu: '64', memory: '256Gi', pods: '500' };
  const now = new Date().toISOString();
  const conditions = [
    { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'fake', lastHeartbeatTime: now },
  ];
  for (let i = 0; i < count; i += 1) {
    const name = `node-${i}`;
    await api.ask('POST', '/api/v1/nodes', { metadata: { name } });
    const node = await api.get<object>(`/api/v1/nodes/${name}`);
    const status = { capacity: resources, allocatable: resources, conditions };
    await api.ask('PUT', `/api/v1/nodes/${name}/status`, { ...node, status });
    const { spec, ...rest } = await api.get<{ spec: object }>(`/api/v1/nodes/${name}`);
    await api.ask('PUT', `/api/v1/nodes/${name}`, { ...rest, spec: { ...spec, taints: [] } });
  }
}

/** Waits until it says that it is ready. */
export async function untilReady(api: KubeApi): Promise<void> {
  for (let attempt = 0; (await api.ask('GET', '/readyz')).status !== 200; attempt += 1) {
    if (attempt > 600) throw new Error(`the kube-apiserver at port ${api.port} is not ready`);
    await new Promise((wait) => setTimeout(wait, 500));
  }
}
