import type { StoreApi } from '../mvcc/api.ts';
import type { AlarmKind } from '../mvcc/types.ts';
import type { HeaderCodec } from './header.ts';
import type { AlarmRequest, AlarmResponse } from './messages/maintenance-table.ts';
import type { Value } from './messages/schema.ts';

const GET = 0;
const ACTIVATE = 1;
const DEACTIVATE = 2;

/** Numbers of etcdserverpb.AlarmType; 0 is none, or any. */
const alarmNumbers: Readonly<Record<AlarmKind, number>> = { nospace: 1, corrupt: 2 };
const kinds: readonly (AlarmKind | undefined)[] = [undefined, 'nospace', 'corrupt'];

export type AlarmStore = Pick<StoreApi, 'revision' | 'alarms' | 'raiseAlarm' | 'disarm'>;

/**
 * Alarm: asks for, raises or clears alarms. There is one member, so every alarm is its own, whatever member a request
 * names. Of actions and alarms that etcd does not know nothing is done (etcd itself dies of them: seen with 3.5.30).
 */
export async function answerAlarm(
  store: AlarmStore,
  header: HeaderCodec,
  { action, alarm }: Value<typeof AlarmRequest>,
): Promise<Partial<Value<typeof AlarmResponse>>> {
  const kind = kinds[alarm];
  let found: readonly AlarmKind[] = [];
  if (action === GET) {
    if (alarm === 0) found = store.alarms();
    else found = store.alarms().filter((raised) => raised === kind);
  } else if (action === ACTIVATE && kind !== undefined) {
    await store.raiseAlarm(kind);
    found = [kind];
  } else if (action === DEACTIVATE && kind !== undefined) {
    if (await store.disarm(kind)) found = [kind];
  }
  return {
    header: header.value(store.revision),
    alarms: found.map((raised) => ({ memberID: header.memberId, alarm: alarmNumbers[raised] })),
  };
}

/** Alarms as Status tells them among its errors: in the text form of the AlarmMember message. */
export function alarmTexts(alarms: readonly AlarmKind[], memberId: bigint): readonly string[] {
  return alarms.map((kind) => `memberID:${memberId} alarm:${kind.toUpperCase()} `);
}
