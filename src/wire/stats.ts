import { Counter, exponentialBounds, Gauge, Histogram } from '../base/metrics.ts';
import type { Method, ServiceTable, StatusCode } from './grpc.ts';

const STATUS_CODES = 17;

/** What a method did. Calls that ended by the client's doing count as cancelled. */
export class MethodStats {
  readonly path: string;
  /** The `grpc_type` label. */
  readonly type: 'unary' | 'client_stream' | 'server_stream' | 'bidi_stream';
  readonly started = new Counter();
  /** handled[code] calls ended with that status code. */
  readonly handled = new Float64Array(STATUS_CODES);
  readonly messagesReceived = new Counter();
  readonly messagesSent = new Counter();
  /** From the request's head to the end of the answer as the handler gave it. */
  readonly latencySeconds = new Histogram(exponentialBounds(0.0001, 2, 18));

  constructor(path: string, method: Method) {
    this.path = path;
    this.type = method.kind === 'unary' ? 'unary' : (method.shape ?? 'bidi_stream');
  }

  ended(code: StatusCode, seconds: number): void {
    this.handled[code] = (this.handled[code] ?? 0) + 1;
    this.latencySeconds.observe(seconds);
  }
}

/** The wire's cells. Made by who starts the server, so that the printer has them before the first connection. */
export class WireStats {
  readonly connections = new Gauge();
  readonly connectionsAccepted = new Counter();
  /** Closed because of what the peer did: a broken protocol, a flood, a stall, a timeout. */
  readonly connectionsFaulted = new Counter();
  readonly streams = new Gauge();
  /** On the sockets, HTTP/1.1 not included. */
  readonly bytesReceived = new Counter();
  readonly bytesSent = new Counter();
  /** Messages alone, as etcd_network_client_grpc_{received,sent}_bytes_total. */
  readonly messageBytesReceived = new Counter();
  readonly messageBytesSent = new Counter();
  /** By path. Only methods of the table: a client cannot add any. */
  readonly methods: ReadonlyMap<string, MethodStats>;

  constructor(services: ServiceTable) {
    this.methods = new Map([...services].map(([path, method]) => [path, new MethodStats(path, method)]));
  }
}
