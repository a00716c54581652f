import { HashKVResponse, StatusResponse } from '../../etcd/messages/maintenance-table.ts';
import type { Value } from '../../etcd/messages/schema.ts';
import { goQuote } from '../format/go-quote.ts';
import { humanBytes } from '../format/human-bytes.ts';
import { messageJson } from '../format/message-json.ts';
import type { View } from '../printer.ts';
import { fieldLines, headerFields } from './header-fields.ts';

/** How an endpoint answered a read. */
export interface EndpointHealth {
  readonly endpoint: string;
  readonly health: boolean;
  /** In Go's spelling; empty: it was not asked. */
  readonly took: string;
  /** Empty: none. */
  readonly error: string;
}

/** Unhealthy ones are missing in `simple`: they go to standard error. */
export function healthView(endpoints: readonly EndpointHealth[]): View {
  return {
    simple: () =>
      endpoints
        .filter(({ error }) => error === '')
        .map(({ endpoint, took }) => `${endpoint} is healthy: successfully committed proposal: took = ${took}\n`),
    fields: () =>
      endpoints.map(
        ({ endpoint, health, took, error }) =>
          `${fieldLines({ Endpoint: goQuote(endpoint), Health: health, Took: took, Error: error })}\n`,
      ),
    json: () =>
      endpoints.map(({ endpoint, health, took, error }) => ({
        endpoint,
        health,
        took,
        error: error === '' ? undefined : error,
      })),
    table: () => ({
      header: ['endpoint', 'health', 'took', 'error'],
      rows: endpoints.map(({ endpoint, health, took, error }) => [endpoint, String(health), took, error]),
    }),
  };
}

export interface EndpointStatus {
  readonly endpoint: string;
  readonly status: Value<typeof StatusResponse>;
}

const STATUS_HEADINGS = [
  'endpoint',
  'ID',
  'version',
  'db size',
  'is leader',
  'is learner',
  'raft term',
  'raft index',
  'raft applied index',
  'errors',
];

/** etcdctl 3.5's columns: 3.6 has more, in between, which scripts that count them do not expect. */
export function statusView(endpoints: readonly EndpointStatus[]): View {
  return {
    simple: () => endpoints.map((one) => `${statusRow(one).join(', ')}\n`),
    fields: () => endpoints.map((one) => `${statusFields(one)}\n`),
    json: () =>
      endpoints.map(({ endpoint, status }) => ({ Endpoint: endpoint, Status: messageJson(StatusResponse, status) })),
    table: () => ({ header: STATUS_HEADINGS, rows: endpoints.map(statusRow) }),
  };
}

function statusRow({ endpoint, status }: EndpointStatus): string[] {
  const memberId = status.header?.member_id ?? 0n;
  return [
    endpoint,
    memberId.toString(16),
    status.version,
    humanBytes(status.dbSize),
    String(status.leader === memberId),
    String(status.isLearner),
    String(status.raftTerm),
    String(status.raftIndex),
    String(status.raftAppliedIndex),
    status.errors.join(', '),
  ];
}

function statusFields({ endpoint, status }: EndpointStatus): string {
  return `${headerFields(status.header ?? {})}${fieldLines({
    Version: goQuote(status.version),
    DBSize: status.dbSize,
    Leader: status.leader,
    IsLearner: status.isLearner,
    RaftIndex: status.raftIndex,
    RaftTerm: status.raftTerm,
    RaftAppliedIndex: status.raftAppliedIndex,
    Errors: `[${status.errors.join(' ')}]`,
    Endpoint: goQuote(endpoint),
  })}`;
}

export interface EndpointHash {
  readonly endpoint: string;
  readonly hash: Value<typeof HashKVResponse>;
}

export function hashView(endpoints: readonly EndpointHash[]): View {
  const rows = () => endpoints.map(({ endpoint, hash }) => [endpoint, String(hash.hash)]);
  return {
    simple: () => rows().map((row) => `${row.join(', ')}\n`),
    fields: () =>
      endpoints.map(
        ({ endpoint, hash }) =>
          `${headerFields(hash.header ?? {})}${fieldLines({ Endpoint: goQuote(endpoint), Hash: hash.hash })}\n`,
      ),
    json: () =>
      endpoints.map(({ endpoint, hash }) => ({ Endpoint: endpoint, HashKV: messageJson(HashKVResponse, hash) })),
    table: () => ({ header: ['endpoint', 'hash'], rows: rows() }),
  };
}
