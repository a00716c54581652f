import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { environmentName, resolveOptions } from '../../src/base/options.ts';
import { logFor } from '../../src/log/engines.ts';
import { PEER_LIMITS } from '../../src/peers/limits.ts';
import { arePeersOn } from '../../src/peers/options.ts';
import { checkServeOptions, SERVE_OPTIONS, type ServeOptions } from '../../src/server/options.ts';
import { projectRoot } from '../support/project.ts';

/*
 * The manifests in deploy/ are for people to apply: they are held to the fields of the Kubernetes API that they use, to
 * each other, and to the flags and ports that kedge has.
 */

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };
type Shape = (value: Json, path: string) => readonly string[];

const isA =
  (type: 'string' | 'number' | 'boolean'): Shape =>
  (value, path) =>
    typeof value === type ? [] : [`${path}: ${JSON.stringify(value)} is no ${type}`];
const text = isA('string');
const count = isA('number');
const yes = isA('boolean');
const oneOf =
  (...words: readonly Json[]): Shape =>
  (value, path) =>
    words.includes(value) ? [] : [`${path}: ${JSON.stringify(value)} is none of ${words.join(', ')}`];
const matching =
  (pattern: RegExp): Shape =>
  (value, path) =>
    typeof value === 'string' && pattern.test(value) ? [] : [`${path}: ${JSON.stringify(value)} is not ${pattern}`];
const either =
  (...shapes: readonly Shape[]): Shape =>
  (value, path) =>
    shapes.some((shape) => shape(value, path).length === 0)
      ? []
      : [`${path}: ${JSON.stringify(value)} has no allowed form`];
const listOf =
  (shape: Shape): Shape =>
  (value, path) =>
    Array.isArray(value) ? value.flatMap((item: Json, i) => shape(item, `${path}[${i}]`)) : [`${path}: no list`];
const mapOf =
  (shape: Shape): Shape =>
  (value, path) =>
    isObject(value)
      ? Object.entries(value).flatMap(([name, item]) => shape(item, `${path}.${name}`))
      : [`${path}: no map`];
/** Names with `?` may be absent; what is not named must be. */
const object =
  (fields: Readonly<Record<string, Shape>>): Shape =>
  (value, path) => {
    if (!isObject(value)) return [`${path}: no object`];
    const known = new Map(Object.entries(fields).map(([name, shape]) => [name.replace('?', ''), shape]));
    const missing = Object.keys(fields).filter((name) => !name.endsWith('?') && value[name] === undefined);
    return [
      ...missing.map((name) => `${path}.${name}: missing`),
      ...Object.entries(value).flatMap(
        ([name, item]) => known.get(name)?.(item, `${path}.${name}`) ?? [`${path}.${name}: unknown`],
      ),
    ];
  };

const quantity = matching(/^\d+(\.\d+)?(m|Ki|Mi|Gi)?$/);
const dnsLabel = matching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
const portName = matching(/^[a-z0-9-]{1,15}$/);
const port: Shape = (value, path) =>
  typeof value === 'number' && value > 0 && value < 65_536 ? [] : [`${path}: no port`];
const labels = mapOf(matching(/^[A-Za-z0-9._-]{0,63}$/));
const metadata = object({ name: dnsLabel, 'namespace?': dnsLabel, 'labels?': labels });
const selector = object({ matchLabels: labels });
const resources = object({ 'cpu?': quantity, 'memory?': quantity });
const probe = object({
  httpGet: object({ 'host?': text, path: oneOf('/livez', '/readyz'), port: either(port, portName) }),
  ...{ 'periodSeconds?': count, 'timeoutSeconds?': count, 'failureThreshold?': count },
});
const execProbe = object({
  exec: object({ command: listOf(text) }),
  ...{ 'periodSeconds?': count, 'timeoutSeconds?': count },
});
/** Ours are held to more than other images can be. */
const container = object({
  name: oneOf('kedge'),
  ...{ image: text, 'imagePullPolicy?': oneOf('Always', 'IfNotPresent', 'Never'), args: listOf(text) },
  env: listOf(
    either(
      object({ name: matching(/^[A-Z_]+$/), value: text }),
      object({
        name: matching(/^[A-Z_]+$/),
        valueFrom: object({
          fieldRef: object({ fieldPath: oneOf('metadata.name', 'status.podIP', 'status.hostIP', 'spec.nodeName') }),
        }),
      }),
    ),
  ),
  'ports?': listOf(object({ name: portName, containerPort: port })),
  ...{ startupProbe: probe, livenessProbe: probe, readinessProbe: probe },
  resources: object({ 'requests?': resources, 'limits?': resources }),
  securityContext: object({
    ...{ allowPrivilegeEscalation: oneOf(false), readOnlyRootFilesystem: oneOf(true) },
    capabilities: object({ drop: listOf(oneOf('ALL')) }),
  }),
  volumeMounts: listOf(object({ name: dnsLabel, mountPath: matching(/^\//), 'readOnly?': yes })),
});
const databaseContainer = object({
  ...{ name: oneOf('postgres'), image: matching(/^postgres:\d+-bookworm$/) },
  env: listOf(object({ name: matching(/^[A-Z_]+$/), value: text })),
  ports: listOf(object({ name: portName, containerPort: port })),
  readinessProbe: execProbe,
  resources: object({ 'requests?': resources, 'limits?': resources }),
  securityContext: object({
    allowPrivilegeEscalation: oneOf(false),
    capabilities: object({ drop: listOf(oneOf('ALL')) }),
  }),
  volumeMounts: listOf(object({ name: dnsLabel, mountPath: matching(/^\//), 'readOnly?': yes })),
});
const podSpec = object({
  ...{ 'hostNetwork?': yes, 'dnsPolicy?': oneOf('ClusterFirst', 'ClusterFirstWithHostNet', 'Default') },
  ...{ 'priorityClassName?': text, 'automountServiceAccountToken?': yes, terminationGracePeriodSeconds: count },
  securityContext: object({
    ...{ runAsNonRoot: oneOf(true), runAsUser: count, runAsGroup: count, 'fsGroup?': count },
    seccompProfile: object({ type: oneOf('RuntimeDefault') }),
  }),
  'topologySpreadConstraints?': listOf(
    object({
      maxSkew: count,
      topologyKey: text,
      whenUnsatisfiable: oneOf('ScheduleAnyway', 'DoNotSchedule'),
      labelSelector: selector,
    }),
  ),
  containers: listOf(either(container, databaseContainer)),
  volumes: listOf(
    object({
      name: dnsLabel,
      'emptyDir?': object({ 'sizeLimit?': quantity }),
      'hostPath?': object({ path: matching(/^\//), type: oneOf('Directory', 'DirectoryOrCreate') }),
      'secret?': object({
        secretName: dnsLabel,
        'defaultMode?': count,
        'items?': listOf(object({ key: text, path: text })),
      }),
    }),
  ),
});
const policyPorts = listOf(object({ protocol: oneOf('TCP', 'UDP'), port }));
const policyPeers = listOf(object({ 'podSelector?': selector, 'namespaceSelector?': selector }));

/** The kinds that are used, as far as their fields are. */
const KINDS: Readonly<
  Record<string, { readonly apiVersion: string; readonly fields: Readonly<Record<string, Shape>> }>
> = {
  Service: {
    apiVersion: 'v1',
    fields: {
      spec: object({
        ...{ 'clusterIP?': oneOf('None'), 'publishNotReadyAddresses?': yes, selector: labels },
        ports: listOf(
          object({ name: portName, port, targetPort: either(port, portName), protocol: oneOf('TCP', 'UDP') }),
        ),
      }),
    },
  },
  PodDisruptionBudget: { apiVersion: 'policy/v1', fields: { spec: object({ maxUnavailable: count, selector }) } },
  StatefulSet: {
    apiVersion: 'apps/v1',
    fields: {
      spec: object({
        ...{ serviceName: dnsLabel, replicas: count, podManagementPolicy: oneOf('Parallel', 'OrderedReady'), selector },
        template: object({ metadata: object({ labels }), spec: podSpec }),
        'volumeClaimTemplates?': listOf(
          object({
            metadata: object({ name: dnsLabel }),
            spec: object({
              accessModes: listOf(oneOf('ReadWriteOnce')),
              resources: object({ requests: object({ storage: quantity }) }),
            }),
          }),
        ),
      }),
    },
  },
  Namespace: { apiVersion: 'v1', fields: {} },
  Pod: { apiVersion: 'v1', fields: { spec: podSpec } },
  Secret: { apiVersion: 'v1', fields: { type: oneOf('Opaque'), stringData: mapOf(text) } },
  NetworkPolicy: {
    apiVersion: 'networking.k8s.io/v1',
    fields: {
      spec: object({
        ...{ podSelector: selector, policyTypes: listOf(oneOf('Ingress', 'Egress')) },
        ingress: listOf(object({ 'from?': policyPeers, ports: policyPorts })),
        egress: listOf(object({ 'to?': policyPeers, ports: policyPorts })),
      }),
    },
  },
};

interface Manifest {
  readonly file: string;
  readonly kind: string;
  readonly value: Json;
}

const folder = join(projectRoot, 'deploy');
const read = (file: string): readonly Json[] =>
  parseAllDocuments(readFileSync(join(folder, 'kubernetes', file), 'utf8'), { version: '1.1' }).map((document) => {
    if (document.errors.length > 0) throw new Error(`${file}: ${document.errors.join()}`);
    return document.toJS() as Json;
  });
const files = readdirSync(join(folder, 'kubernetes'), { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.yaml'),
);
const isKustomization = (file: string): boolean => file.endsWith('kustomization.yaml');
const manifests: readonly Manifest[] = files
  .filter((file) => !isKustomization(file))
  .flatMap((file) => read(file).map((value) => ({ file, kind: String(at(value, 'kind')), value })));
const of = (file: string, kind: string, name?: string): Json =>
  manifests.find(
    (found) =>
      found.file === file &&
      found.kind === kind &&
      (name === undefined || at(found.value, 'metadata', 'name') === name),
  )?.value ?? null;
const container0 = (spec: Json): Json => at(spec, 'containers', '0');
const pods: readonly (readonly [name: string, spec: Json, labels: Json])[] = [
  [
    'shared.yaml',
    at(of('shared.yaml', 'StatefulSet'), 'spec', 'template', 'spec'),
    at(of('shared.yaml', 'StatefulSet'), 'spec', 'template', 'metadata', 'labels'),
  ],
  ['static-pod.yaml', at(of('static-pod.yaml', 'Pod'), 'spec'), at(of('static-pod.yaml', 'Pod'), 'metadata', 'labels')],
];

describe('manifests', () => {
  it('have only fields that their kinds have, as they must be', () => {
    const wrong = manifests.flatMap(({ file, kind, value }) => {
      const known = KINDS[kind];
      if (known === undefined) return [`${file}: unknown kind ${kind}`];
      return object({ apiVersion: oneOf(known.apiVersion), kind: oneOf(kind), metadata, ...known.fields })(
        value,
        `${file} ${kind}`,
      );
    });
    expect(wrong).toEqual([]);
    expect(manifests.map(({ file, kind }) => `${file} ${kind}`).sort()).toEqual([
      'namespace.yaml Namespace',
      'network-policy.yaml NetworkPolicy',
      'secret.yaml Secret',
      'shared.yaml PodDisruptionBudget',
      'shared.yaml Service',
      'shared.yaml Service',
      'shared.yaml StatefulSet',
      'static-pod-service.yaml Service',
      'static-pod.yaml Pod',
      'try/database.yaml NetworkPolicy',
      'try/database.yaml Service',
      'try/database.yaml StatefulSet',
    ]);
  });

  it('would be found out if they had a wrong one', () => {
    const shape = object({ a: count, 'b?': listOf(text) });
    expect(shape({ a: 1, b: ['x'] }, '')).toEqual([]);
    expect(shape({ b: [1], c: true }, '')).toEqual(['.a: missing', '.b[0]: 1 is no string', '.c: unknown']);
  });

  it('select each other', () => {
    const set = at(of('shared.yaml', 'StatefulSet'), 'spec');
    const podLabels = at(set, 'template', 'metadata', 'labels');
    expect(at(set, 'selector', 'matchLabels')).toEqual(podLabels);
    const peers = of('shared.yaml', 'Service', 'kedge-peers');
    expect(at(set, 'serviceName')).toBe(at(peers, 'metadata', 'name'));
    expect(at(peers, 'spec', 'clusterIP')).toBe('None');
    expect(at(peers, 'spec', 'publishNotReadyAddresses')).toBe(true);
    for (const [selector, selected] of [
      [at(peers, 'spec', 'selector'), podLabels],
      [at(of('shared.yaml', 'Service', 'kedge'), 'spec', 'selector'), podLabels],
      [at(of('shared.yaml', 'PodDisruptionBudget'), 'spec', 'selector', 'matchLabels'), podLabels],
      [at(of('network-policy.yaml', 'NetworkPolicy'), 'spec', 'podSelector', 'matchLabels'), podLabels],
      [at(of('static-pod-service.yaml', 'Service'), 'spec', 'selector'), pods[1]?.[2] ?? null],
    ] as const) {
      expect(selected).toMatchObject(selector as object);
    }
    const namespaces = manifests
      .filter(({ file }) => !file.startsWith('static-pod'))
      .map(({ kind, value }) => at(value, 'metadata', kind === 'Namespace' ? 'name' : 'namespace'));
    expect(new Set(namespaces)).toEqual(new Set(['kedge']));
  });

  it.each(pods.map(([file, spec]) => ({ file, spec })))(
    '$file: mounts what it has, and has what it reads',
    ({ file, spec }) => {
      const volumes = items(at(spec, 'volumes'));
      const mounts = items(at(container0(spec), 'volumeMounts'));
      expect(mounts.map((mount) => at(mount, 'name')).sort()).toEqual(
        volumes.map((volume) => at(volume, 'name')).sort(),
      );
      const secret = volumes.map((volume) => at(volume, 'secret')).find((found) => found !== null);
      if (secret === undefined) return;
      const kept = of('secret.yaml', 'Secret');
      expect(at(secret, 'secretName')).toBe(at(kept, 'metadata', 'name'));
      const keys = items(at(secret, 'items')).map((item) => String(at(item, 'key')));
      expect(keys.sort()).toEqual(Object.keys(at(kept, 'stringData') as object).sort());
      for (const key of keys) expect(JSON.stringify(container0(spec)), file).toContain(`/etc/kedge/${key}`);
      // Read by the group, by nobody else: what kedge insists on.
      expect(Number(at(secret, 'defaultMode')) & 0o007).toBe(0);
    },
  );

  it.each(pods.map(([file, spec]) => ({ file, spec })))(
    '$file: its flags are flags of kedge serve, with values that it takes',
    ({ spec }) => {
      const [command, ...flags] = items(at(container0(spec), 'args')).map(String);
      expect(command).toBe('serve');
      const options = optionsOf(new Map(flags.map(flagOf)), variablesOf(container0(spec)));
      expect(arePeersOn(options)).toBe(true);
      expect(options.peerTrust).toBe('secret');
      expect(() => logFor(options.store)).not.toThrow();
      const ports = { client: options.listenClientUrls[0], metrics: options.listenMetricsUrls[0] };
      expect(ports.client).toMatchObject({ port: portOf(SERVE_OPTIONS.listenClientUrls.default[0]) });
      expect(options.peerListen?.port).toBe(PEER_LIMITS.port);
      expect(options.peerAdvertise[0]?.port).toBe(PEER_LIMITS.port);
      for (const { port: dialled } of [...options.peerDns, ...options.peer]) expect(dialled).toBe(PEER_LIMITS.port);
      const named = new Map(
        items(at(container0(spec), 'ports')).map((item) => [at(item, 'name'), at(item, 'containerPort')]),
      );
      for (const which of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
        const probed = at(container0(spec), which, 'httpGet', 'port');
        expect(named.get(probed) ?? probed).toBe(portOf(ports.metrics));
      }
      for (const [name, value] of named) {
        if (name === 'client') expect(value).toBe(portOf(ports.client));
        if (name === 'peer') expect(value).toBe(PEER_LIMITS.port);
      }
    },
  );

  it('open in the network policy the ports that are listened on', () => {
    const policy = at(of('network-policy.yaml', 'NetworkPolicy'), 'spec');
    const opened = items(at(policy, 'ingress')).flatMap((rule) =>
      items(at(rule, 'ports')).map((item) => at(item, 'port')),
    );
    const listened = items(at(container0(pods[0]?.[1] ?? null), 'ports')).map((item) => at(item, 'containerPort'));
    expect(opened.sort()).toEqual(listened.sort());
  });
});

describe('to try it on a fresh cluster', () => {
  const kustomization = read('try/kustomization.yaml')[0] ?? null;
  const database = (kind: string): Json => at(of('try/database.yaml', kind), 'spec');
  const patch = parse(String(at(items(at(kustomization, 'patches'))[0] ?? null, 'patch'))) as Json;

  it('applies all that is there, and each of it once', () => {
    for (const file of files.filter(isKustomization)) {
      const [value = null, ...more] = read(file);
      expect(more).toEqual([]);
      expect([at(value, 'apiVersion'), at(value, 'kind')]).toEqual([
        'kustomize.config.k8s.io/v1beta1',
        'Kustomization',
      ]);
    }
    expect(at(read('kustomization.yaml')[0] ?? null, 'resources')).toEqual([
      'namespace.yaml',
      'shared.yaml',
      'network-policy.yaml',
    ]);
    expect(at(kustomization, 'resources')).toEqual(['..', 'database.yaml']);
  });

  it('puts the store into that database: its name, port, user and password', () => {
    const target = of('shared.yaml', 'StatefulSet');
    expect([at(patch, 'apiVersion'), at(patch, 'kind')]).toEqual([at(target, 'apiVersion'), at(target, 'kind')]);
    for (const name of ['name', 'namespace']) expect(at(patch, 'metadata', name)).toBe(at(target, 'metadata', name));
    const patched = container0(at(patch, 'spec', 'template', 'spec'));
    const kedge = container0(at(target, 'spec', 'template', 'spec'));
    expect(at(patched, 'name')).toBe(at(kedge, 'name'));
    const variables = variablesOf(patched);
    // Only what is there is replaced.
    expect(Object.keys(variablesOf(kedge))).toEqual(expect.arrayContaining(Object.keys(variables)));
    const { store } = optionsOf(new Map(items(at(kedge, 'args')).slice(1).map(String).map(flagOf)), variables);
    expect(() => logFor(store)).not.toThrow();
    const url = new URL(store);
    const spec = at(database('StatefulSet'), 'template', 'spec');
    const postgres = variablesOf(container0(spec));
    expect(url.hostname).toBe(at(of('try/database.yaml', 'Service'), 'metadata', 'name'));
    expect([url.username, url.pathname]).toEqual([postgres['POSTGRES_USER'], `/${postgres['POSTGRES_DB']}`]);
    expect(url.searchParams.get('password_file')).toBe(postgres['POSTGRES_PASSWORD_FILE']);
    const [secret] = items(at(spec, 'volumes'))
      .map((volume) => at(volume, 'secret'))
      .filter((found) => found !== null);
    expect(at(secret ?? null, 'secretName')).toBe(at(of('secret.yaml', 'Secret'), 'metadata', 'name'));
    expect(Number(at(secret ?? null, 'defaultMode')) & 0o007).toBe(0);
    const served = items(at(database('Service'), 'ports')).map((item) => at(item, 'port'));
    expect(served).toEqual([Number(url.port)]);
    for (const selector of [
      at(database('Service'), 'selector'),
      at(database('NetworkPolicy'), 'podSelector', 'matchLabels'),
    ])
      expect(at(database('StatefulSet'), 'template', 'metadata', 'labels')).toEqual(selector);
    // Out of kedge's policy and into the database's.
    const out = items(at(of('network-policy.yaml', 'NetworkPolicy'), 'spec', 'egress')).flatMap((rule) =>
      items(at(rule, 'ports')).map((item) => at(item, 'port')),
    );
    expect(out).toContain(Number(url.port));
    const [allowed] = items(at(database('NetworkPolicy'), 'ingress'));
    expect(items(at(allowed ?? null, 'ports')).map((item) => at(item, 'port'))).toEqual([Number(url.port)]);
    expect(at(items(at(allowed ?? null, 'from'))[0] ?? null, 'podSelector', 'matchLabels')).toEqual(
      at(target, 'spec', 'template', 'metadata', 'labels'),
    );
  });

  it('has an image that is built as what the manifests name and run', () => {
    const dockerfile = readFileSync(join(folder, 'Dockerfile'), 'utf8');
    const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { version: string };
    expect(dockerfile).toContain(`--tag kedge:${version} --file deploy/Dockerfile .`);
    const user = Number(/^USER (\d+):\d+$/m.exec(dockerfile)?.[1]);
    for (const [, spec] of pods) {
      expect(at(container0(spec), 'image')).toBe(`kedge:${version}`);
      expect(at(spec, 'securityContext', 'runAsUser')).toBe(user);
    }
    expect(dockerfile).toContain('ENTRYPOINT ["/opt/kedge/bin/kedge"]');
    const copied = [...dockerfile.matchAll(/^COPY --from=build (.*)$/gm)].flatMap(([, words = '']) =>
      words.split(' ').slice(0, -1),
    );
    for (const path of copied) expect(existsSync(path.replace('/opt/kedge', projectRoot)), path).toBe(true);
    expect(copied.map((path) => path.replace('/opt/kedge/', ''))).toEqual(
      expect.arrayContaining(['package.json', 'bin/kedge', 'node_modules', 'dist']),
    );
  });
});

describe('the systemd unit', () => {
  const unit = readFileSync(join(folder, 'systemd', 'kedge.service'), 'utf8');
  const entries = unit
    .split('\n')
    .filter((line) => /^[A-Za-z]+=/.test(line))
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const);

  it('has the sections and keys that it needs, each of them once', () => {
    expect(unit.match(/^\[.*\]$/gm)).toEqual(['[Unit]', '[Service]', '[Install]']);
    const keys = entries.map(([key]) => key).filter((key) => key !== 'LoadCredential');
    expect(keys).toEqual([...new Set(keys)]);
    expect(keys).toEqual(
      expect.arrayContaining(['ExecStart', 'EnvironmentFile', 'StateDirectory', 'DynamicUser', 'Restart', 'WantedBy']),
    );
  });

  it('starts kedge with flags and variables that it takes', () => {
    const words = (entries.find(([key]) => key === 'ExecStart')?.[1] ?? '').split(' ');
    expect(words.slice(0, 2)).toEqual(['/usr/bin/kedge', 'serve']);
    const variables = readFileSync(join(folder, 'systemd', 'kedge.env'), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('# '));
    const known = new Set(Object.values(SERVE_OPTIONS).map(({ flag }) => environmentName(flag)));
    const environment = variables
      .map((line) => line.replace(/^#/, ''))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const);
    for (const [name] of environment) expect(known).toContain(name);
    const options = optionsOf(new Map(words.slice(2).map(flagOf)), Object.fromEntries(environment));
    expect(arePeersOn(options)).toBe(true);
    expect(() => logFor(options.store)).not.toThrow();
    const credentials = entries
      .filter(([key]) => key === 'LoadCredential')
      .map(([, value]) => value.split(':')[0] ?? '');
    expect(options.peerSecretFile).toBe(`%d/${credentials[0]}`);
    expect(options.store).toContain(`/run/credentials/kedge.service/${credentials[1]}`);
  });
});

function optionsOf(
  written: ReadonlyMap<string, string>,
  environment: Readonly<Record<string, string>> = {},
): ServeOptions {
  const flags = new Set(Object.values(SERVE_OPTIONS).map(({ flag }) => flag as string));
  for (const flag of written.keys()) expect(flags).toContain(flag);
  const filled = new Map(
    [...written].map(([flag, value]) => [flag, value.replaceAll(/\$\((POD|HOST)_IP\)/g, '10.1.2.3')]),
  );
  const options = resolveOptions(SERVE_OPTIONS, filled, environment);
  checkServeOptions(options);
  return options;
}

/** Those with a value. */
function variablesOf(container: Json): Readonly<Record<string, string>> {
  const named = items(at(container, 'env')).filter((item) => at(item, 'value') !== null);
  return Object.fromEntries(named.map((item) => [String(at(item, 'name')), String(at(item, 'value'))]));
}

function flagOf(word: string): [string, string] {
  const match = /^--([a-z-]+)(?:=(.*))?$/.exec(word);
  if (match === null) throw new Error(`no flag: ${word}`);
  return [match[1] ?? '', match[2] ?? ''];
}

function portOf(url: ServeOptions['listenClientUrls'][number] | undefined): number | undefined {
  return url?.kind === 'tcp' ? url.port : undefined;
}

function at(value: Json, ...path: readonly string[]): Json {
  return path.reduce<Json>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null ? ((inner as Record<string, Json>)[name] ?? null) : null,
    value,
  );
}

function items(value: Json): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

function isObject(value: Json): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
