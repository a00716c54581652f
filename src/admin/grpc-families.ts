import { Status, type StatusCode } from '../wire/grpc.ts';
import type { MethodStats, WireStats } from '../wire/stats.ts';
import { counter, type Exposition, type Family, gauge, type Labels } from './exposition.ts';

/** Calls by method and status, under the names that go-grpc-prometheus gave them and every etcd dashboard asks for. */
export function grpcFamilies(stats: WireStats): Family[] {
  const methods = [...stats.methods.values()].map((method) => ({ method, labels: labelsOf(method) }));
  const perMethod = (read: (method: MethodStats) => number) => (to: Exposition) => {
    for (const { method, labels } of methods) to.sample(read(method), labels);
  };
  return [
    {
      name: 'grpc_server_started_total',
      help: 'Calls that began.',
      type: 'counter',
      write: perMethod((method) => method.started.value),
    },
    {
      name: 'grpc_server_handled_total',
      help: 'Calls that ended, by status code.',
      type: 'counter',
      write(to) {
        for (const { method, labels } of methods) {
          for (const [name, code] of CODES) to.sample(method.handled[code] ?? 0, { grpc_code: name, ...labels });
        }
      },
    },
    {
      name: 'grpc_server_handling_seconds',
      help: 'From the head of a call to the end of its answer.',
      type: 'histogram',
      write(to) {
        for (const { method, labels } of methods) {
          if (method.latencySeconds.count > 0) to.histogram(method.latencySeconds, labels);
        }
      },
    },
    {
      name: 'grpc_server_msg_received_total',
      help: 'Messages received.',
      type: 'counter',
      write: perMethod((method) => method.messagesReceived.value),
    },
    {
      name: 'grpc_server_msg_sent_total',
      help: 'Messages sent.',
      type: 'counter',
      write: perMethod((method) => method.messagesSent.value),
    },
    counter(
      'etcd_network_client_grpc_received_bytes_total',
      'Bytes of messages from clients.',
      stats.messageBytesReceived,
    ),
    counter('etcd_network_client_grpc_sent_bytes_total', 'Bytes of messages to clients.', stats.messageBytesSent),
    gauge('kedge_wire_connections', 'Open connections.', stats.connections),
    counter('kedge_wire_connections_accepted_total', 'Connections accepted.', stats.connectionsAccepted),
    counter(
      'kedge_wire_connections_faulted_total',
      'Connections closed for what their peer did.',
      stats.connectionsFaulted,
    ),
    gauge('kedge_wire_streams', 'Calls under way, watches included.', stats.streams),
    counter('kedge_wire_received_bytes_total', 'Bytes read from sockets.', stats.bytesReceived),
    counter('kedge_wire_sent_bytes_total', 'Bytes written to sockets.', stats.bytesSent),
  ];
}

/** `invalidArgument` → `InvalidArgument`, as Go prints codes; `ok` is `OK` and `cancelled` is `Canceled` there. */
const CODES: readonly (readonly [string, StatusCode])[] = Object.entries(Status).map(([name, code]) => [
  name === 'ok' ? 'OK' : name === 'cancelled' ? 'Canceled' : name.charAt(0).toUpperCase() + name.slice(1),
  code,
]);

function labelsOf(method: MethodStats): Labels {
  const [, service = '', name = ''] = method.path.split('/');
  return { grpc_method: name, grpc_service: service, grpc_type: method.type };
}
