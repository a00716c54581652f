import { readFileSync } from 'node:fs';
import {
  type ChannelCredentials,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Client as GrpcClient,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.ts';
import { Failure } from '../../base/failure.ts';
import type { LeaseId, Revision } from '../../mvcc/types.ts';
import {
  type HashKvResponse,
  type LeaseTimeToLive,
  type RangeRequest,
  type RangeResponse,
  readHashKv,
  readLeases,
  readLeaseTimeToLive,
  readRange,
  readSnapshot,
  readStatus,
  readToken,
  readWatch,
  type SnapshotChunk,
  type StatusResponse,
  type WatchResponse,
  writeAuthenticate,
  writeHashKv,
  writeLeaseTimeToLive,
  writeRange,
  writeWatchAll,
} from './messages.ts';

/** How to reach a server, as etcdctl's flags say it. Empty: not given. */
export interface EtcdAccess {
  /** http:// or https:// URLs, separated by commas. The first that answers is used. */
  readonly endpoints: string;
  readonly cacert: string;
  readonly cert: string;
  readonly key: string;
  readonly insecureSkipTlsVerify: boolean;
  /** `name:password`, or the name alone with `password` beside it. */
  readonly user: string;
  readonly password: string;
}

/** A server that does not answer a call within this is taken for dead. HashKV reads all of a store. */
const CALL_MS = 30_000;
const HASH_MS = 600_000;
const KEEPALIVE_MS = 30_000;
const NO_BYTES = new Uint8Array(0);

/** A client of an etcd's: what moving house asks of it. Every method rejects with a Failure that names endpoint and reason. */
export class EtcdClient {
  readonly endpoint: string;
  readonly #grpc: GrpcClient;
  readonly #clock: Clock;
  readonly #access: EtcdAccess;
  #token: string | undefined;

  private constructor(endpoint: string, access: EtcdAccess, clock: Clock) {
    this.endpoint = endpoint;
    this.#access = access;
    this.#clock = clock;
    this.#grpc = new GrpcClient(addressOf(endpoint), credentialsOf(endpoint, access), {
      'grpc.max_receive_message_length': -1,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': CALL_MS,
    });
  }

  /** The first endpoint that answers. */
  static async connect(access: EtcdAccess, clock: Clock): Promise<EtcdClient> {
    let last: unknown = new Failure('no endpoint is given');
    for (const endpoint of access.endpoints.split(',').map((one) => one.trim())) {
      const client = new EtcdClient(endpoint, access, clock);
      try {
        await client.#login();
        await client.status();
        return client;
      } catch (error) {
        client.close();
        last = error;
      }
    }
    throw last;
  }

  status(): Promise<StatusResponse> {
    return this.#call('/etcdserverpb.Maintenance/Status', NO_BYTES, readStatus);
  }

  range(request: RangeRequest): Promise<RangeResponse> {
    return this.#call('/etcdserverpb.KV/Range', writeRange(request), readRange);
  }

  hashKv(revision: Revision): Promise<HashKvResponse> {
    return this.#call('/etcdserverpb.Maintenance/HashKV', writeHashKv(revision), readHashKv, HASH_MS);
  }

  leases(): Promise<LeaseId[]> {
    return this.#call('/etcdserverpb.Lease/LeaseLeases', NO_BYTES, readLeases);
  }

  leaseTimeToLive(id: LeaseId): Promise<LeaseTimeToLive> {
    return this.#call('/etcdserverpb.Lease/LeaseTimeToLive', writeLeaseTimeToLive(id), readLeaseTimeToLive);
  }

  /** The store as a file, in chunks. */
  async *snapshot(): AsyncGenerator<SnapshotChunk> {
    const call: ClientReadableStream<SnapshotChunk> = this.#grpc.makeServerStreamRequest(
      '/etcdserverpb.Maintenance/Snapshot',
      toBuffer,
      readSnapshot,
      NO_BYTES,
      this.#metadata(),
    );
    yield* this.#read(call, 'Snapshot');
  }

  /** Everything that happens from a revision on, until the signal. */
  async *watchAll(from: Revision, signal: AbortSignal): AsyncGenerator<WatchResponse> {
    const call: ClientDuplexStream<Uint8Array, WatchResponse> = this.#grpc.makeBidiStreamRequest(
      '/etcdserverpb.Watch/Watch',
      toBuffer,
      readWatch,
      this.#metadata(),
    );
    call.write(writeWatchAll(from));
    yield* this.#read(call, 'Watch', signal);
  }

  close(): void {
    this.#grpc.close();
  }

  async *#read<T>(call: ClientReadableStream<T>, what: string, signal?: AbortSignal): AsyncGenerator<T> {
    const cancel = (): void => call.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      if (signal?.aborted === true) return;
      for await (const message of call) yield message as T;
    } catch (error) {
      if (signal?.aborted === true) return;
      throw this.#failed(what, error);
    } finally {
      signal?.removeEventListener('abort', cancel);
      // What breaks off after the end breaks nothing.
      call.on('error', () => undefined);
      call.cancel();
    }
  }

  async #login(): Promise<void> {
    const { user } = this.#access;
    if (user === '') return;
    const colon = user.indexOf(':');
    const name = colon === -1 ? user : user.slice(0, colon);
    const password = colon === -1 ? this.#access.password : user.slice(colon + 1);
    this.#token = await this.#call('/etcdserverpb.Auth/Authenticate', writeAuthenticate(name, password), readToken);
  }

  /** A token that ran out is fetched anew, once. */
  async #call<T>(path: string, request: Uint8Array, read: (answer: Uint8Array) => T, ms = CALL_MS): Promise<T> {
    try {
      return await this.#callOnce(path, request, read, ms);
    } catch (error) {
      const details = isServiceError(error) ? error.details : '';
      if (this.#token === undefined || !details.includes('invalid auth token')) throw this.#failed(path, error);
      this.#token = undefined;
      await this.#login();
      return await this.#callOnce(path, request, read, ms).catch((again: unknown) => {
        throw this.#failed(path, again);
      });
    }
  }

  #callOnce<T>(path: string, request: Uint8Array, read: (answer: Uint8Array) => T, ms: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const deadline = this.#clock.wallMs() + ms;
      this.#grpc.makeUnaryRequest(path, toBuffer, read, request, this.#metadata(), { deadline }, (error, answer) => {
        if (error !== null) reject(error);
        else resolve(answer as T);
      });
    });
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    if (this.#token !== undefined) metadata.set('token', this.#token);
    return metadata;
  }

  #failed(what: string, error: unknown): Failure {
    if (error instanceof Failure) return error;
    const call = what.slice(what.lastIndexOf('/') + 1);
    if (!isServiceError(error)) return new Failure(`${this.endpoint}: ${call}: ${String(error)}`, { cause: error });
    return new EtcdFailure(error.code, `${this.endpoint}: ${call}: ${error.details}${adviceFor(error)}`, error);
  }
}

/** A call that the server refused or did not answer. */
export class EtcdFailure extends Failure {
  /** gRPC's. */
  readonly code: status;

  constructor(code: status, message: string, cause: unknown) {
    super(message, { cause });
    this.code = code;
  }

  /** Worth another try: the server is away for the moment. */
  get isPassing(): boolean {
    return [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.INTERNAL, status.UNKNOWN].includes(this.code);
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error;
}

function adviceFor({ code, details }: ServiceError): string {
  if (/user name is empty|permission denied|authentication failed|invalid user name/.test(details)) {
    return ' (--user name:password of a user with the role root)';
  }
  if (code === status.UNAVAILABLE) return ' (is it running, and are the address and the TLS flags right?)';
  if (code === status.UNIMPLEMENTED) return ' (kine has no such call: name its database instead)';
  return '';
}

/** http://host:port, https://host:port or unix:///path as gRPC takes it. */
function addressOf(endpoint: string): string {
  if (endpoint.startsWith('unix:')) return `unix:${endpoint.replace(/^unix:(\/\/)?/, '')}`;
  try {
    return new URL(endpoint).host || fail(endpoint);
  } catch (error) {
    throw error instanceof Failure ? error : new Failure(`${endpoint} is no URL such as http://127.0.0.1:2379`);
  }
}

function fail(endpoint: string): never {
  throw new Failure(`${endpoint} has no host`);
}

function credentialsOf(endpoint: string, access: EtcdAccess): ChannelCredentials {
  if (!endpoint.startsWith('https:')) return credentials.createInsecure();
  const { cacert, cert, key, insecureSkipTlsVerify } = access;
  if ((cert === '') !== (key === '')) throw new Failure('--cert and --key belong together');
  return credentials.createSsl(contents(cacert), contents(key), contents(cert), {
    rejectUnauthorized: !insecureSkipTlsVerify,
  });
}

function contents(path: string): Buffer | null {
  if (path === '') return null;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Failure(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function toBuffer(message: Uint8Array): Buffer {
  return Buffer.from(message.buffer, message.byteOffset, message.length);
}
