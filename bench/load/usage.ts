/** What a process and its children use, from Linux's /proc (proc(5)): CPU time with all threads, resident memory. */
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ, which is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

interface Stat {
  readonly pid: number;
  readonly group: number;
  readonly cpuTicks: number;
}

function statOf(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined; // It ended meanwhile.
  }
  // The name in parentheses may hold anything; fields are counted behind it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { pid, group: Number(fields[2]), cpuTicks: Number(fields[11]) + Number(fields[12]) };
}

/** The processes of a process group. */
export function processesOf(group: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => statOf(Number(name)))
    .filter((stat) => stat !== undefined && stat.group === group)
    .map((stat) => stat?.pid ?? 0);
}

/** CPU seconds the processes have used so far, all threads. */
export function cpuSecondsOf(pids: readonly number[]): number {
  return pids.reduce((ticks, pid) => ticks + (statOf(pid)?.cpuTicks ?? 0), 0) / ticksPerSecond;
}

/** Resident memory of the processes in MiB. */
export function residentMebibytesOf(pids: readonly number[]): number {
  let kibibytes = 0;
  for (const pid of pids) {
    try {
      kibibytes += Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
    } catch {
      // It ended meanwhile and uses nothing.
    }
  }
  return kibibytes / 1024;
}
