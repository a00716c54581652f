import { describe, expect, it } from 'vitest';
import { bool, bytes, int64, message, nested, repeated, string } from '../../etcd/messages/schema.ts';
import { kubernetesDecoder } from './kubernetes.ts';

/* Messages of Kubernetes, as little of them as is needed here; numbers from their generated.proto files. */
const Time = message('Time', { seconds: int64(1) });
const Entry = message('Entry', { key: string(1), value: string(2) });
const Owner = message('OwnerReference', {
  kind: string(1),
  name: string(3),
  uid: string(4),
  apiVersion: string(5),
  controller: bool(6),
});
const Meta = message('ObjectMeta', {
  name: string(1),
  namespace: string(3),
  uid: string(5),
  generation: int64(7),
  creationTimestamp: nested(8, Time),
  labels: repeated(nested(11, Entry)),
  ownerReferences: repeated(nested(13, Owner)),
  finalizers: repeated(string(14)),
});
const Container = message('Container', { name: string(1), image: string(2), args: repeated(string(4)) });
const Spec = message('PodSpec', {
  containers: repeated(nested(2, Container)),
  restartPolicy: string(3),
  grace: int64(4),
  nodeName: string(10),
});
const Pod = message('Pod', { metadata: nested(1, Meta), spec: nested(2, Spec) });
const TypeMeta = message('TypeMeta', { apiVersion: string(1), kind: string(2) });
const Unknown = message('Unknown', {
  typeMeta: nested(1, TypeMeta),
  raw: bytes(2),
  contentEncoding: string(3),
  contentType: string(4),
});

function stored(raw: Uint8Array, kind = 'Pod', contentType = ''): Buffer {
  return Buffer.concat([
    Buffer.from('k8s\0'),
    Unknown.encode({ typeMeta: { apiVersion: 'v1', kind }, raw, contentType }),
  ]);
}

const decode = kubernetesDecoder({ colours: false });

describe('--decode k8s', () => {
  it('shows an object: kind, metadata by name, the rest by number', () => {
    const pod = Pod.encode({
      metadata: {
        name: 'web-0',
        namespace: 'default',
        uid: '7b0c0a6e-5b0e-4b43-8f3c-0d6a3ad5a0ce',
        generation: 3,
        creationTimestamp: { seconds: 1_700_000_000 },
        labels: [
          { key: 'app', value: 'web' },
          { key: 'tier', value: 'true' },
        ],
        ownerReferences: [{ kind: 'ReplicaSet', name: 'web', uid: 'u-1', apiVersion: 'apps/v1', controller: true }],
        finalizers: ['a/b', 'c/d'],
      },
      spec: {
        containers: [
          { name: 'web', image: 'registry.example/web:1.2', args: ['--port', '80'] },
          { name: 'side', image: 'registry.example/a-very-long-name-of-an-image:1', args: ['line one\nline two\n'] },
        ],
        restartPolicy: 'Always',
        grace: 30,
        nodeName: 'node-1',
      },
    });
    expect(decode(stored(pod))).toBe(`apiVersion: v1
kind: Pod
metadata:
  name: web-0
  namespace: default
  uid: 7b0c0a6e-5b0e-4b43-8f3c-0d6a3ad5a0ce
  generation: 3
  creationTimestamp: 2023-11-14T22:13:20Z
  labels:
    app: web
    tier: "true"
  ownerReferences:
    - kind: ReplicaSet
      name: web
      uid: u-1
      apiVersion: apps/v1
      controller: true
  finalizers:
    - a/b
    - c/d
2:
  2:
    - 1: web
      2: registry.example/web:1.2
      4:
        - "--port"
        - "80"
    - 1: side
      2: registry.example/a-very-long-name-of-an-image:1
      4: |
        line one
        line two
  3: Always
  4: 30
  10: node-1`);
  });

  it('takes a message that looks like text for a message', () => {
    // Tag and length of this are a newline and "$".
    const meta = Meta.encode({ name: 'n'.repeat(36) });
    expect(meta[0]).toBe(10);
    const shown = decode(stored(Buffer.concat([Pod.encode({}), Buffer.from([0x1a, meta.length]), meta])));
    expect(shown).toContain(`3:\n  1: ${'n'.repeat(36)}`);
  });

  it('shows JSON as it is, indented, whatever its numbers', () => {
    expect(decode(Buffer.from('{"a":12345678901234567890,"b":[],"c":{"d":[1,"x: {y}"]}}'))).toBe(
      '{\n  "a": 12345678901234567890,\n  "b": [],\n  "c": {\n    "d": [\n      1,\n      "x: {y}"\n    ]\n  }\n}',
    );
    expect(decode(stored(Buffer.from('{"kind":"Foo"}'), 'Foo', 'application/json'))).toBe('{\n  "kind": "Foo"\n}');
    const coloured = kubernetesDecoder({ colours: true })(Buffer.from('{"a":1,"b":"x"}'));
    expect(coloured).toBe('{\n  \x1b[36m"a"\x1b[0m: \x1b[33m1\x1b[0m,\n  \x1b[36m"b"\x1b[0m: \x1b[32m"x"\x1b[0m\n}');
  });

  it('leaves alone what it does not know, and says what is encrypted', () => {
    for (const value of ['plain', '{"broken"', '', 'k8s', 'k8s\0\xff\xff']) {
      const raw = Buffer.from(value, 'latin1');
      expect(Buffer.from(decode(raw))).toEqual(raw);
    }
    expect(decode(Buffer.from('k8s:enc:aescbc:v1:key1:\x00\x01\x02'))).toBe(
      '(encrypted at rest: aescbc:v1:key1, 26 bytes)',
    );
  });
});
