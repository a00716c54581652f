import type { StoreApi } from '../mvcc/api.ts';
import type { AlarmKind } from '../mvcc/types.ts';
import type { HeaderCodec } from './header.ts';
import type { AlarmRequest, AlarmResponse } from './messages/maintenance-table.ts';
import type { Value } from './messages/schema.ts';

const GET = 0;
const ACTIVATE = 1;
const DEACTIVATE = 2;
/** As the kind: none or any. */
const NONE = 0;

/** Numbers of etcdserverpb.AlarmType. */
const numbers: Readonly<Record<AlarmKind, number>> = { nospace: 1, corrupt: 2 };
const kinds: readonly (AlarmKind | undefined)[] = [undefined, 'nospace', 'corrupt'];

/** Beyond this many made-up members of one kind, further ones are taken for the member itself. */
const MEMBERS_MAX = 1000;

export type AlarmStore = Pick<StoreApi, 'revision' | 'alarms' | 'raiseAlarm' | 'disarm'>;

interface Alarm {
  readonly memberId: bigint;
  readonly kind: AlarmKind;
}

/**
 * Alarms as etcd shows them: of a kind and of a member. The store knows kinds only, since there is one member. But
 * clients may raise an alarm in the name of any member, and clear it by that name again: such names are kept here for
 * as long as the process lives. Whatever else the store has raised is the member's own.
 * Source: etcd's server/etcdserver/api/v3alarm/alarms.go, and trying it with 3.5.30. Of actions and kinds that etcd
 * does not know nothing is done (etcd itself dies of them).
 */
export class Alarms {
  private readonly store: AlarmStore;
  private readonly header: HeaderCodec;
  private readonly members = new Map<AlarmKind, Set<bigint>>();

  constructor(store: AlarmStore, header: HeaderCodec) {
    this.store = store;
    this.header = header;
  }

  /** Answers an AlarmRequest. */
  async answer(request: Value<typeof AlarmRequest>): Promise<Partial<Value<typeof AlarmResponse>>> {
    const alarms = await this.affected(request);
    return {
      header: this.header.value(this.store.revision),
      alarms: alarms.map(({ memberId, kind }) => ({ memberID: memberId, alarm: numbers[kind] })),
    };
  }

  /** What is raised, as Status tells it among its errors: in the text form of the AlarmMember message. */
  texts(): readonly string[] {
    return this.raised(NONE).map(
      ({ memberId, kind }) => `${memberId === 0n ? '' : `memberID:${memberId} `}alarm:${kind.toUpperCase()} `,
    );
  }

  private async affected({ action, memberID, alarm }: Value<typeof AlarmRequest>): Promise<readonly Alarm[]> {
    const kind = kinds[alarm];
    // etcd, too, passes over the member when asked.
    if (action === GET) return this.raised(alarm);
    if (kind === undefined) return [];
    if (action === ACTIVATE) return this.activate(kind, memberID);
    if (action === DEACTIVATE) return this.deactivate(kind, memberID);
    return [];
  }

  private async activate(kind: AlarmKind, memberId: bigint): Promise<readonly Alarm[]> {
    // Asked before: once it is raised, an alarm without a name counts as the member's own.
    const members = this.membersOf(kind);
    await this.store.raiseAlarm(kind);
    if (members.size >= MEMBERS_MAX) memberId = this.header.memberId;
    members.add(memberId);
    this.members.set(kind, members);
    return [{ memberId, kind }];
  }

  private async deactivate(kind: AlarmKind, memberId: bigint): Promise<readonly Alarm[]> {
    const members = this.membersOf(kind);
    if (!members.has(memberId)) return [];
    if (members.size === 1) await this.store.disarm(kind);
    members.delete(memberId);
    this.members.set(kind, members);
    return [{ memberId, kind }];
  }

  private raised(alarm: number): readonly Alarm[] {
    const wanted = alarm === NONE ? (['nospace', 'corrupt'] as const) : [kinds[alarm]];
    const found: Alarm[] = [];
    for (const kind of wanted) {
      if (kind === undefined) continue;
      for (const memberId of this.membersOf(kind)) found.push({ memberId, kind });
    }
    return found;
  }

  /** In whose names an alarm is raised: by the store's word, nobody's if it is not. */
  private membersOf(kind: AlarmKind): Set<bigint> {
    if (!this.store.alarms().includes(kind)) return new Set();
    const members = this.members.get(kind);
    return members === undefined || members.size === 0 ? new Set([this.header.memberId]) : members;
  }
}
