import { AlarmResponse, AlarmType } from '../../etcd/messages/maintenance-table.ts';
import type { Value } from '../../etcd/messages/schema.ts';
import { messageJson } from '../format/message-json.ts';
import type { View } from '../printer.ts';
import { fieldLines, headerFields } from './header-fields.ts';

export function alarmView(response: Value<typeof AlarmResponse>): View {
  const alarms = response.alarms.map(({ memberID = 0n, alarm = 0 }) => ({
    memberID,
    name: AlarmType.values[alarm] ?? String(alarm),
  }));
  return {
    // A message in protobuf's text format, which leaves out zeros and ends each field with a space.
    simple: () => alarms.map(({ memberID, name }) => `memberID:${memberID} alarm:${name} \n`),
    fields: () => [
      headerFields(response.header),
      ...alarms.map(({ memberID, name }) => `${fieldLines({ MemberID: memberID, AlarmType: name })}\n`),
    ],
    json: () => messageJson(AlarmResponse, response),
    protobuf: () => AlarmResponse.encode(response),
  };
}
