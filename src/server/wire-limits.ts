import { defaultWireLimits, type WireLimits } from '../wire/limits.ts';
import { LIMITS } from './limits.ts';
import type { ServeOptions } from './options.ts';

/** The wire's limits as the options say; the rest as the wire knows best. */
export function wireLimits(options: ServeOptions): WireLimits {
  const requestBytesMax = options.maxRequestBytes + LIMITS.requestOverheadBytes;
  return {
    ...defaultWireLimits,
    connectionsMax: options.maxConnections,
    streamsMax: Math.min(options.maxConcurrentStreams, LIMITS.streamsMax),
    requestBytesMax,
    // Base64 makes four bytes of three.
    httpBodyBytesMax: Math.ceil((requestBytesMax * 4) / 3),
    receiveBufferBytesMax: Math.max(defaultWireLimits.receiveBufferBytesMax, 2 * requestBytesMax),
    keepaliveMinTimeMs: options.grpcKeepaliveMinTime,
    keepaliveIntervalMs: options.grpcKeepaliveInterval,
    keepaliveTimeoutMs: options.grpcKeepaliveTimeout,
  };
}
