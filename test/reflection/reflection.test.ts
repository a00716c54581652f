import { join } from 'node:path';
import { Client, credentials, type MethodDefinition, type ServiceDefinition } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer, loadSync } from '@grpc/proto-loader';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiServer } from '../etcd/api-server.ts';
import { definitions, shortName } from '../etcd/message-tables.ts';
import { projectRoot } from '../support/project.ts';

/**
 * A client that knows nothing but the reflection protocol: it asks what there is, builds its codecs from what it is told,
 * and calls with them.
 */
const proto = loadSync('reflection.proto', {
  includeDirs: [join(projectRoot, 'test', 'reflection')],
  keepCase: true,
  oneofs: true,
});
const info = (proto['grpc.reflection.v1.ServerReflection'] as ServiceDefinition)[
  'ServerReflectionInfo'
] as MethodDefinition<object, Answer>;

interface Answer {
  readonly message_response: string;
  readonly original_request: object;
  readonly list_services_response?: { readonly service: readonly { readonly name: string }[] };
  readonly file_descriptor_response?: { readonly file_descriptor_proto: readonly Buffer[] };
  readonly error_response?: { readonly error_code: number; readonly error_message: string };
}

let server: ApiServer;
let client: Client;

beforeAll(async () => {
  server = await new ApiServer().start();
  client = new Client(server.endpoint, credentials.createInsecure());
});
afterAll(async () => {
  client.close();
  await server.stop();
});

function ask(version: string, ...requests: object[]): Promise<Answer[]> {
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const stream = client.makeBidiStreamRequest(path, info.requestSerialize, info.responseDeserialize);
  for (const request of requests) stream.write(request);
  stream.end();
  return new Promise((resolve, reject) => {
    const answers: Answer[] = [];
    stream.on('data', (answer: Answer) => answers.push(answer));
    stream.on('error', reject);
    stream.on('end', () => resolve(answers));
  });
}

/** What proto-loader makes of the files that the server hands out. */
async function loaded(version: string, symbol: string) {
  const [answer] = await ask(version, { file_containing_symbol: symbol });
  const files = answer?.file_descriptor_response?.file_descriptor_proto ?? [];
  // A FileDescriptorSet is nothing but files, each as field 1.
  const set = Buffer.concat(files.flatMap((file) => [Buffer.from([0x0a]), varint(file.length), file]));
  return loadFileDescriptorSetFromBuffer(set, { keepCase: true, longs: String, enums: String, defaults: true });
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return Buffer.from([...bytes, value]);
}

describe.each(['v1', 'v1alpha'])('grpc.reflection.%s', (version) => {
  test('lists the services that are served, and no others', async () => {
    const [answer] = await ask(version, { list_services: '' });
    expect(answer?.list_services_response?.service.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'etcdserverpb.KV',
        'etcdserverpb.Lease',
        'etcdserverpb.Watch',
        'grpc.health.v1.Health',
        `grpc.reflection.${version}.ServerReflection`,
        'v3electionpb.Election',
        'v3lockpb.Lock',
      ]),
    );
  });

  test('hands out files from which a client can be made that puts and gets', async () => {
    const types = await loaded(version, 'etcdserverpb.KV');
    const kv = types['etcdserverpb.KV'] as ServiceDefinition;
    const call = (method: MethodDefinition<object, object>, request: object): Promise<object> =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          method.path,
          method.requestSerialize,
          method.responseDeserialize,
          request,
          (error, value) => (error === null && value !== undefined ? resolve(value) : reject(error)),
        );
      });
    const key = Buffer.from(`reflected ${version}`);
    await call(kv['Put'] as MethodDefinition<object, object>, { key, value: Buffer.from('v') });
    const found = await call(kv['Txn'] as MethodDefinition<object, object>, {
      compare: [{ key, target: 'VERSION', result: 'EQUAL', version: 1 }],
      success: [{ request_range: { key } }],
    });
    expect(found).toMatchObject({ succeeded: true, responses: [{ response_range: { kvs: [{ key, version: '1' }] } }] });
  });

  test('every service that is listed has its file', async () => {
    const [list] = await ask(version, { list_services: '' });
    for (const { name } of list?.list_services_response?.service ?? []) {
      expect(Object.keys(await loaded(version, name))).toContain(name);
    }
  });

  test('files by name, symbols within them, and what there is not', async () => {
    const answers = await ask(
      version,
      { file_by_filename: 'kv.proto' },
      { file_containing_symbol: 'etcdserverpb.RangeRequest.SortOrder' },
      { file_containing_symbol: 'etcdserverpb.KV.Range' },
      { file_containing_symbol: 'etcdserverpb.Nope' },
      { file_by_filename: 'nope.proto' },
      { host: 'x' },
    );
    expect(answers.map((answer) => answer.message_response)).toEqual([
      'file_descriptor_response',
      'file_descriptor_response',
      'file_descriptor_response',
      'error_response',
      'error_response',
      'error_response',
    ]);
    expect(answers[3]?.error_response).toEqual({ error_code: 5, error_message: 'not found' });
    expect(answers[3]?.original_request).toMatchObject({ file_containing_symbol: 'etcdserverpb.Nope' });
  });
});

test("what is described is what the tests' own .proto files say", async () => {
  const types = { ...(await loaded('v1', 'etcdserverpb.KV')), ...(await loaded('v1', 'v3electionpb.Election')) };
  const shape = (definition: unknown): string[] =>
    (definition as { readonly type: { readonly field: readonly Described[] } }).type.field
      .map(
        ({ name, number, label, type, typeName, oneofIndex }) =>
          `${number} ${name} ${label} ${type} ${shortName(typeName)} ${oneofIndex === undefined || oneofIndex < 0 ? '' : oneofIndex}`,
      )
      .sort();
  let compared = 0;
  for (const [name, definition] of Object.entries(definitions)) {
    if (!('format' in definition) || !('field' in (definition.type as object))) continue;
    const described = Object.entries(types).find(([full]) => full !== name && shortName(full) === shortName(name));
    const same = types[name] ?? described?.[1];
    if (same === undefined) continue;
    expect(shape(same), name).toEqual(shape(definition));
    compared++;
  }
  expect(compared).toBeGreaterThan(50);
});

interface Described {
  readonly name: string;
  readonly number: number;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
  readonly oneofIndex?: number;
}

test('health knows each service', async () => {
  const etcd = server.client();
  for (const service of ['', 'etcdserverpb.KV', 'v3lockpb.Lock', 'grpc.reflection.v1.ServerReflection']) {
    expect(await etcd.call('Health/Check', { service })).toEqual({ status: 'SERVING' });
  }
  await expect(etcd.call('Health/Check', { service: 'etcdserverpb.Nope' })).rejects.toThrow('unknown service');
  const watch = etcd.stream('Health/Watch');
  watch.send({ service: 'etcdserverpb.KV' });
  expect(await watch.take()).toEqual({ status: 'SERVING' });
  server.health.setServing(false);
  expect(await watch.take()).toEqual({ status: 'NOT_SERVING' });
  server.health.setServing(true);
  watch.cancel();
});
