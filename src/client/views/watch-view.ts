import { ResponseHeader } from '../../etcd/messages/kv-table.ts';
import type { Value } from '../../etcd/messages/schema.ts';
import { Event, EventType, WatchResponse } from '../../etcd/messages/watch-table.ts';
import { messageJson } from '../format/message-json.ts';
import type { Pieces, View } from '../printer.ts';
import { fieldLines, headerFields } from './header-fields.ts';
import { type PairStyle, pairFields, pairLines } from './key-value.ts';

export type WatchEvent = Partial<Value<typeof Event>>;

/** PUT or DELETE. */
export function eventTypeName({ type = 0 }: WatchEvent): string {
  return EventType.values[type] ?? String(type);
}

export function watchView(response: Value<typeof WatchResponse>, style: PairStyle): View {
  const { header, events, compact_revision, canceled, created } = response;
  return {
    simple: () => events.flatMap((event) => simpleEvent(event, style)),
    fields: () => [headerFields(header), ...events.map(eventFields)],
    // clientv3's own type, not the message.
    json: () => ({
      Header: messageJson(ResponseHeader, header ?? {}),
      Events: events.map((event) => messageJson(Event, event)),
      CompactRevision: compact_revision,
      Canceled: canceled,
      Created: created,
    }),
    protobuf: () => WatchResponse.encode({ ...response, watch_id: 0n, cancel_reason: '', fragment: false }),
  };
}

function simpleEvent(event: WatchEvent, style: PairStyle): Pieces {
  const previous = event.prev_kv === undefined ? [] : pairLines(event.prev_kv, style);
  return [`${eventTypeName(event)}\n`, ...previous, ...pairLines(event.kv ?? {}, style)];
}

function eventFields(event: WatchEvent): string {
  const previous = event.prev_kv === undefined ? '' : pairFields(event.prev_kv, 'Prev');
  return `${fieldLines({ Type: eventTypeName(event) })}${previous}${pairFields(event.kv ?? {})}`;
}
