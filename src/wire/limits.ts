/**
 * Every limit of the wire, units last. Defaults follow etcd where etcd has one; the rest is far above what honest
 * clients do and far below what hurts.
 */
export interface WireLimits {
  /** Connections at once; more are closed at once. Default 20,000. */
  readonly connectionsMax: number;
  /** Streams at once per connection, answered calls whose handler still runs included. Default 100,000. */
  readonly streamsMax: number;
  /** One plain HTTP body: a request message in JSON and base64. Default 3 MiB. */
  readonly httpBodyBytesMax: number;
  /** One request message. Default 2 MiB (etcd: 1.5 MiB plus 512 KiB for gRPC). */
  readonly requestBytesMax: number;
  /** Partly received and held-back messages of one connection. Default 64 MiB. */
  readonly receiveBufferBytesMax: number;
  /** A list of header fields, as RFC 9113 (6.5.2) counts; also the compressed block. Default 64 KiB. */
  readonly headerListBytesMax: number;
  /** CONTINUATION frames per header block. Default 32. */
  readonly continuationFramesMax: number;
  /** Encoded grpc-message; longer ones are cut. Default 6 KiB: many clients take no more than 8 KiB of headers. */
  readonly statusMessageBytesMax: number;
  /** What a client may send on a stream before we take it. Default 512 KiB. */
  readonly initialWindowBytes: number;
  /** The same for a connection. Given back at receipt, so that no stream holds up another. Default 16 MiB. */
  readonly connectionWindowBytes: number;
  /** Above this, send answers false. Per stream. Default 256 KiB. */
  readonly streamSendHighWaterBytes: number;
  /** The same for all streams of a connection together. Default 4 MiB. */
  readonly connectionSendHighWaterBytes: number;
  /** Unsent answers of a connection; above, new streams are refused. Default 64 MiB. */
  readonly sendBufferBytesMax: number;
  /** Bytes given to a socket that takes none; above (control frames alone), the connection ends. Default 1 MiB. */
  readonly socketBufferBytesMax: number;
  /** A socket that takes nothing for so long is closed; a finished answer that no window lets out is reset. Default 120 s. */
  readonly sendStallMs: number;
  /** From accept to the first SETTINGS, or for an HTTP/1.1 request's head. Default 10 s. */
  readonly prefaceTimeoutMs: number;
  /** An HTTP/1.1 connection that is kept is closed after so long without a request: late, for clients do not look. Default 120 s. */
  readonly httpIdleMs: number;
  /** RST_STREAM received, and streams that we had to reset or refuse, per second. Default 2,000. */
  readonly resetsPerSecondMax: number;
  /** SETTINGS per second. Default 100. */
  readonly settingsPerSecondMax: number;
  /** PING per second, beyond what the keepalive rule says. Default 1,000. */
  readonly pingsPerSecondMax: number;
  /** Frames that carry nothing (empty DATA or fragments, PRIORITY, unknown types) per second. Default 10,000. */
  readonly emptyFramesPerSecondMax: number;
  /** WINDOW_UPDATE frames per second. Default 200,000. */
  readonly windowUpdatesPerSecondMax: number;
  /** Pings closer than this are struck; the third strike is GOAWAY too_many_pings. Default 5 s (--grpc-keepalive-min-time). */
  readonly keepaliveMinTimeMs: number;
  /** We ping a connection that was silent for so long. Default 2 h (--grpc-keepalive-interval); 0: never. */
  readonly keepaliveIntervalMs: number;
  /** …and close it if it stays silent. Default 20 s (--grpc-keepalive-timeout). */
  readonly keepaliveTimeoutMs: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export const defaultWireLimits: WireLimits = {
  connectionsMax: 20_000,
  streamsMax: 100_000,
  requestBytesMax: 2 * MIB,
  httpBodyBytesMax: 3 * MIB,
  receiveBufferBytesMax: 64 * MIB,
  headerListBytesMax: 64 * KIB,
  continuationFramesMax: 32,
  statusMessageBytesMax: 6 * KIB,
  initialWindowBytes: 512 * KIB,
  connectionWindowBytes: 16 * MIB,
  streamSendHighWaterBytes: 256 * KIB,
  connectionSendHighWaterBytes: 4 * MIB,
  sendBufferBytesMax: 64 * MIB,
  socketBufferBytesMax: MIB,
  sendStallMs: 120_000,
  prefaceTimeoutMs: 10_000,
  httpIdleMs: 120_000,
  resetsPerSecondMax: 2000,
  settingsPerSecondMax: 100,
  pingsPerSecondMax: 1000,
  emptyFramesPerSecondMax: 10_000,
  windowUpdatesPerSecondMax: 200_000,
  keepaliveMinTimeMs: 5000,
  keepaliveIntervalMs: 7_200_000,
  keepaliveTimeoutMs: 20_000,
};
