import { join } from 'node:path';
import {
  type ClientDuplexStream,
  type ClientOptions,
  credentials,
  Client as GrpcClient,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';
import type { StreamMethods, UnaryMethods } from './messages.ts';
import { projectRoot } from './project.ts';

const definitions = loadSync(['etcd.proto', 'health.proto', 'lock.proto', 'election.proto'], {
  includeDirs: [join(projectRoot, 'test', 'support')],
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
});

/** `KV/Range` → how to encode, decode and address it. */
const methods = new Map<string, MethodDefinition<object, object>>();
for (const [name, definition] of Object.entries(definitions)) {
  if ('format' in definition) continue;
  for (const [method, details] of Object.entries(definition)) {
    methods.set(`${name.slice(name.lastIndexOf('.') + 1)}/${method}`, details);
  }
}

function methodNamed(name: string): MethodDefinition<object, object> {
  const method = methods.get(name);
  if (method === undefined) throw new Error(`no method ${name}`);
  return method;
}

/** A call that the server refused. `message` is the server's text as it stands. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }

  /** As scripts print it. */
  override toString(): string {
    return `${this.code}: ${this.message}`;
  }
}

function rpcError(error: ServiceError): RpcError {
  return new RpcError(status[error.code] ?? String(error.code), error.details);
}

export interface ClientLimits {
  /** A call without an answer for this long is given up. */
  readonly timeoutMs?: number;
  readonly grpc?: ClientOptions;
}

/** A client of the whole etcd API over one connection, made of grpc-js and our own .proto file: nothing of kedge's is in it. */
export class EtcdClient {
  readonly endpoint: string;
  /** Sent with every call, as etcd's clients send what Authenticate gave them. */
  token: string | undefined;
  private readonly grpc: GrpcClient;
  private readonly timeoutMs: number;

  constructor(endpoint: string, limits: ClientLimits = {}) {
    this.endpoint = endpoint;
    this.timeoutMs = limits.timeoutMs ?? 20_000;
    this.grpc = new GrpcClient(endpoint, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      // Each client its own connection: tests count and break them.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.initial_reconnect_backoff_ms': 20,
      'grpc.max_reconnect_backoff_ms': 100,
      ...limits.grpc,
    });
  }

  /** Rejects with RpcError. */
  call<M extends keyof UnaryMethods>(name: M, request: UnaryMethods[M][0]): Promise<UnaryMethods[M][1]> {
    const method = methodNamed(name);
    return this.rawCall(method.path, method.requestSerialize(request)).then(
      (bytes) => method.responseDeserialize(bytes) as UnaryMethods[M][1],
    );
  }

  /** Sends any bytes to any path. */
  rawCall(path: string, request: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.grpc.makeUnaryRequest(
        path,
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes,
        request,
        this.metadata(),
        { deadline: Date.now() + this.timeoutMs },
        (error, answer) => {
          if (error !== null) reject(rpcError(error));
          else if (answer === undefined) reject(new Error('neither answer nor error'));
          else resolve(answer);
        },
      );
    });
  }

  stream<M extends keyof StreamMethods>(name: M): Stream<StreamMethods[M][0], StreamMethods[M][1]> {
    const method = methodNamed(name);
    return new Stream(
      this.grpc.makeBidiStreamRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        this.metadata(),
      ),
      this.timeoutMs,
    );
  }

  /** A server stream, read to its end. */
  async collect<M extends keyof StreamMethods>(name: M, request: StreamMethods[M][0]): Promise<StreamMethods[M][1][]> {
    const stream = this.stream(name);
    stream.send(request);
    stream.halfClose();
    const all: StreamMethods[M][1][] = [];
    for (;;) {
      const message = await stream.next();
      if (message === undefined) return all;
      all.push(message);
    }
  }

  private metadata(): Metadata {
    const metadata = new Metadata();
    if (this.token !== undefined) metadata.set('token', this.token);
    return metadata;
  }

  close(): void {
    this.grpc.close();
  }
}

/** One streaming call: send, and take answers one after the other. */
export class Stream<Request, Response> {
  private readonly call: ClientDuplexStream<object, object>;
  private readonly timeoutMs: number;
  private readonly arrived: Response[] = [];
  private waiting: { resolve(): void; reject(error: Error): void } | undefined;
  private over: { readonly error: RpcError | undefined } | undefined;

  constructor(call: ClientDuplexStream<object, object>, timeoutMs: number) {
    this.call = call;
    this.timeoutMs = timeoutMs;
    call.on('data', (message: object) => {
      this.arrived.push(message as Response);
      this.waiting?.resolve();
    });
    call.on('error', (error: ServiceError) => this.finish(rpcError(error)));
    call.on('end', () => this.finish(undefined));
  }

  send(request: Request): void {
    this.call.write(request as object);
  }

  halfClose(): void {
    this.call.end();
  }

  cancel(): void {
    this.call.cancel();
  }

  /** Stops reading: the server meets a stuck client. */
  pause(): void {
    this.call.pause();
  }

  resume(): void {
    this.call.resume();
  }

  /** How many answers are here already. */
  get queued(): number {
    return this.arrived.length;
  }

  get ended(): boolean {
    return this.over !== undefined;
  }

  /** The next answer; undefined at the end. Rejects with RpcError when the call failed, with Error after the time limit. */
  async next(timeoutMs: number = this.timeoutMs): Promise<Response | undefined> {
    while (this.arrived.length === 0) {
      if (this.over?.error !== undefined) throw this.over.error;
      if (this.over !== undefined) return undefined;
      await this.arrival(timeoutMs);
    }
    return this.arrived.shift();
  }

  /** As next, but the end is an error. */
  async take(timeoutMs: number = this.timeoutMs): Promise<Response> {
    const answer = await this.next(timeoutMs);
    if (answer === undefined) throw new Error('the stream has ended');
    return answer;
  }

  /** Whether an answer comes (or is here) within the time. */
  async anythingWithin(ms: number): Promise<boolean> {
    if (this.arrived.length > 0) return true;
    await this.arrival(ms).catch(() => undefined);
    return this.arrived.length > 0;
  }

  private arrival(timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.waiting?.reject(new Error(`nothing came within ${timeoutMs} ms`)), timeoutMs);
      const settle = (act: () => void) => () => {
        clearTimeout(timer);
        this.waiting = undefined;
        act();
      };
      this.waiting = {
        resolve: settle(resolve),
        reject: (error) => settle(() => reject(error))(),
      };
    });
  }

  private finish(error: RpcError | undefined): void {
    this.over ??= { error };
    this.waiting?.resolve();
  }
}
