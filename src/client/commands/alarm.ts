import type { Command } from '../../base/command.ts';
import { AlarmAction } from '../../etcd/messages/maintenance-table.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import { badArguments } from '../exit-error.ts';
import type { ClientHost } from '../host.ts';
import { MaintenanceMethod } from '../maintenance-methods.ts';
import { alarmView } from '../views/alarm-view.ts';

/** `kedge alarm …`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'alarm list',
      summary: 'list the alarms that are raised',
      operands: [],
      options: {},
      details: `NOSPACE: the data has reached its quota, and writes are refused. CORRUPT: histories of members differ.

Example:
  kedge alarm list`,
      run: (call) => alarm(call, 'GET', 'alarm list command accepts no arguments'),
    }),
    clientCommand(host, {
      name: 'alarm disarm',
      summary: 'take back all alarms',
      operands: [],
      options: {},
      details: `Make room first, or the alarm is raised again.

Example:
  kedge compaction 1000 && kedge defrag && kedge alarm disarm`,
      run: (call) => alarm(call, 'DEACTIVATE', 'alarm disarm command accepts no arguments'),
    }),
  ];
}

async function alarm(call: ClientCall, action: 'GET' | 'DEACTIVATE', whenOperands: string): Promise<void> {
  if (call.operands.length !== 0) throw badArguments(whenOperands);
  const connection = await call.connect();
  const listed = await connection.call(MaintenanceMethod.alarm, { action: AlarmAction.values.indexOf('GET') });
  if (action === 'GET') {
    call.print(alarmView(listed));
    return;
  }
  // As clientv3: each by itself, and what is told is what was taken back.
  const alarms: (typeof listed)['alarms'][number][] = [];
  for (const { memberID = 0n, alarm: type = 0 } of listed.alarms) {
    const request = { action: AlarmAction.values.indexOf(action), memberID, alarm: type };
    const response = await connection.call(MaintenanceMethod.alarm, request);
    alarms.push(...response.alarms);
  }
  call.print(alarmView({ header: undefined, alarms }));
}
