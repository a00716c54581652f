import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  connectivityState,
  Metadata,
} from '@grpc/grpc-js';
import type { Clock } from '../base/clock.ts';
import { AuthMethod } from './auth-methods.ts';
import { credentialsFor, type TlsSettings } from './credentials.ts';
import { type Endpoint, parseEndpoint } from './endpoint.ts';
import { CLIENT_LIMITS } from './limits.ts';
import { MaintenanceMethod } from './maintenance-methods.ts';
import type { Method } from './method.ts';
import { RpcCode, RpcError, rpcErrorOf } from './rpc-error.ts';

/*
 * Calls to a cluster of one or more endpoints, as etcd's clientv3 makes them:
 *
 *  - a call goes to the endpoint that answered last; when that cannot be reached, to the next one;
 *  - while none can be reached the call waits, until its deadline is over;
 *  - a call that was sent and broke is made again only when it changes nothing;
 *  - with a user, every call carries a token, which is asked for at first and when the server forgot it.
 */

export interface ConnectionSettings {
  readonly endpoints: readonly string[];
  readonly tls: TlsSettings;
  readonly dialTimeoutMs: number;
  readonly keepaliveTimeMs: number;
  readonly keepaliveTimeoutMs: number;
  /** Of a call that does not say. */
  readonly commandTimeoutMs: number;
  readonly user: { readonly name: string; readonly password: string } | undefined;
}

export interface CallLimits {
  /** Default: the command's timeout. Infinity: none. */
  readonly timeoutMs?: number;
}

/** `hasleader`: etcd's wish that a stream ends when its member has no leader. */
export interface StreamOptions extends CallLimits {
  readonly requireLeader?: boolean;
}

interface Server {
  readonly endpoint: Endpoint;
  readonly client: Client;
}

export class Connection {
  readonly endpoints: readonly string[];
  private readonly settings: ConnectionSettings;
  private readonly clock: Clock;
  private readonly servers: readonly Server[];
  /** The server that is asked first. */
  private preferred = 0;
  private token: string | undefined;
  private authenticated = false;

  constructor(settings: ConnectionSettings, clock: Clock) {
    this.endpoints = settings.endpoints;
    this.settings = settings;
    this.clock = clock;
    this.servers = settings.endpoints.map((written) => {
      const endpoint = parseEndpoint(written);
      return { endpoint, client: newClient(endpoint, settings) };
    });
  }

  close(): void {
    for (const { client } of this.servers) client.close();
  }

  /** Asks for a token when there is a user. Throws RpcError when name or password are wrong. */
  async authenticate(): Promise<void> {
    const { user } = this.settings;
    if (user === undefined || this.authenticated) return;
    this.authenticated = true;
    try {
      this.token = undefined;
      const { name, password } = user;
      this.token = (await this.callOnce(AuthMethod.authenticate, { name, password }, {})).token;
    } catch (error) {
      // clientv3 goes on without.
      if (!(error instanceof RpcError) || error.details !== 'etcdserver: authentication is not enabled') throw error;
    }
  }

  /** One request, one answer. Throws RpcError. */
  async call<Request extends object, Response extends object>(
    method: Method<Request, Response>,
    request: Partial<Request>,
    limits: CallLimits = {},
  ): Promise<Response> {
    await this.authenticate();
    try {
      return await this.callOnce(method, request, limits);
    } catch (error) {
      if (!(error instanceof RpcError) || !isTokenError(error) || this.settings.user === undefined) throw error;
      this.authenticated = false;
      await this.authenticate();
      return await this.callOnce(method, request, limits);
    }
  }

  private async callOnce<Request extends object, Response extends object>(
    method: Method<Request, Response>,
    request: Partial<Request>,
    limits: CallLimits,
  ): Promise<Response> {
    const deadline = this.deadlineOf(limits);
    for (let tries = 1; ; tries++) {
      const { client } = await this.reach(deadline);
      try {
        return await this.unary(client, method, request, deadline);
      } catch (error) {
        const failed = rpcErrorOf(error);
        const again = failed.code === RpcCode.unavailable && (method.readOnly || neverSent(failed));
        if (!again || tries >= CLIENT_LIMITS.readTriesMax || this.clock.monotonicMs() > deadline) throw failed;
        this.preferred++;
        await this.pause(CLIENT_LIMITS.retryDelayMs);
      }
    }
  }

  private unary<Request extends object, Response extends object>(
    client: Client,
    method: Method<Request, Response>,
    request: Partial<Request>,
    deadline: number,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest<Partial<Request>, Response>(
        method.path,
        (value) => Buffer.from(method.request.encode(value)),
        (bytes) => method.response.decode(bytes),
        request,
        this.metadata(false),
        this.callOptions(deadline),
        (error, value) => {
          if (error !== null) reject(error);
          else if (value === undefined) reject(new RpcError(RpcCode.internal, 'no answer'));
          else resolve(value);
        },
      );
    });
  }

  /** Opens a stream both ways. It fails with whatever gRPC throws: see `rpcErrorOf`. */
  async openStream<Request extends object, Response extends object>(
    method: Method<Request, Response>,
    options: StreamOptions = {},
  ): Promise<ClientDuplexStream<Partial<Request>, Response>> {
    await this.authenticate();
    const { client } = await this.reach(this.deadlineOf(options));
    return client.makeBidiStreamRequest<Partial<Request>, Response>(
      method.path,
      (value) => Buffer.from(method.request.encode(value)),
      (bytes) => method.response.decode(bytes),
      this.metadata(options.requireLeader === true),
    );
  }

  /** Asks once and opens the stream of answers. */
  async openReadStream<Request extends object, Response extends object>(
    method: Method<Request, Response>,
    request: Partial<Request>,
    limits: CallLimits = {},
  ): Promise<ClientReadableStream<Response>> {
    await this.authenticate();
    const deadline = this.deadlineOf(limits);
    const { client } = await this.reach(deadline);
    return client.makeServerStreamRequest<Partial<Request>, Response>(
      method.path,
      (value) => Buffer.from(method.request.encode(value)),
      (bytes) => method.response.decode(bytes),
      request,
      this.metadata(false),
      this.callOptions(deadline),
    );
  }

  /** A stream broke: the next call tries another server first. */
  preferNext(): void {
    this.preferred++;
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.after(ms, resolve);
    });
  }

  private deadlineOf({ timeoutMs = this.settings.commandTimeoutMs }: CallLimits): number {
    return this.clock.monotonicMs() + timeoutMs;
  }

  private metadata(requireLeader: boolean): Metadata {
    const metadata = new Metadata();
    if (this.token !== undefined) metadata.set('token', this.token);
    if (requireLeader) metadata.set('hasleader', 'true');
    return metadata;
  }

  private callOptions(deadline: number): CallOptions {
    if (deadline === Number.POSITIVE_INFINITY) return {};
    return { deadline: this.clock.wallMs() + Math.max(deadline - this.clock.monotonicMs(), 0) };
  }

  /** The first server, from the preferred one on, to which there is a connection. */
  private async reach(deadline: number): Promise<Server> {
    for (;;) {
      for (let i = 0; i < this.servers.length; i++) {
        const at = (this.preferred + i) % this.servers.length;
        const server = this.servers[at];
        if (server === undefined || !(await this.connect(server, deadline))) continue;
        this.preferred = at;
        return server;
      }
      if (this.clock.monotonicMs() >= deadline) throw await this.unreachable();
      await this.pause(Math.min(CLIENT_LIMITS.retryDelayMs, Math.max(deadline - this.clock.monotonicMs(), 0)));
    }
  }

  /** False: refused, or not connected within --dial-timeout. */
  private async connect({ client }: Server, deadline: number): Promise<boolean> {
    const channel = client.getChannel();
    const dialDeadline = Math.min(deadline, this.clock.monotonicMs() + this.settings.dialTimeoutMs);
    for (;;) {
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY) return true;
      if (state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN) return false;
      const leftMs = dialDeadline - this.clock.monotonicMs();
      if (leftMs <= 0) return false;
      await new Promise<void>((resolve) => {
        channel.watchConnectivityState(state, this.clock.wallMs() + leftMs, () => resolve());
      });
    }
  }

  /** What a call says that cannot be sent: gRPC tells why a connection failed only to calls. */
  private async unreachable(): Promise<RpcError> {
    const hints = await Promise.all(
      this.servers.map(async ({ endpoint, client }) => {
        const soon = this.clock.monotonicMs() + CLIENT_LIMITS.retryDelayMs;
        const said = await this.unary(client, MaintenanceMethod.status, {}, soon).catch(rpcErrorOf);
        const reason =
          said instanceof RpcError ? /Last error: (?:Error: )?(.*?)(?:\. Resolution note:|$)/.exec(said.details) : null;
        return `${endpoint.written}: ${reason?.[1] || 'no answer'}`;
      }),
    );
    return new RpcError(RpcCode.deadlineExceeded, 'no endpoint could be reached', hints.join('; '));
  }
}

function newClient(endpoint: Endpoint, settings: ConnectionSettings): Client {
  return new Client(endpoint.target, credentialsFor(endpoint, settings.tls), {
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': CLIENT_LIMITS.requestBytesMax,
    'grpc.keepalive_time_ms': Math.max(settings.keepaliveTimeMs, CLIENT_LIMITS.keepaliveTimeMsMin),
    'grpc.keepalive_timeout_ms': settings.keepaliveTimeoutMs,
    'grpc.initial_reconnect_backoff_ms': CLIENT_LIMITS.reconnectMsMin,
    'grpc.max_reconnect_backoff_ms': CLIENT_LIMITS.reconnectMsMax,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_retries': 0,
  });
}

function neverSent({ details }: RpcError): boolean {
  return details.startsWith('No connection established') || details.startsWith('Name resolution failed');
}

function isTokenError({ details }: RpcError): boolean {
  return details === 'etcdserver: invalid auth token' || details === 'etcdserver: revision of auth store is old';
}
