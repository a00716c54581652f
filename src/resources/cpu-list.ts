import { RESOURCE_LIMITS } from './limits.ts';

/** The numbers of the kernel's list format, `0-3,8,10-11`, ascending; what is no list of that format counts for nothing. */
export function parseCpuList(text: string | undefined): readonly number[] {
  const cpus = new Set<number>();
  for (const part of (text ?? '').trim().split(',')) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim());
    if (match === null) continue;
    const first = Number(match[1]);
    const last = Math.min(Number(match[2] ?? match[1]), RESOURCE_LIMITS.cpusMax - 1);
    for (let cpu = first; cpu <= last; cpu += 1) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}

/** The list format of numbers in any order: `0-3,8`. */
export function formatCpuList(cpus: readonly number[]): string {
  const sorted = [...new Set(cpus)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length; ) {
    const first = sorted[i];
    let end = i;
    while (sorted[end + 1] === (sorted[end] ?? 0) + 1) end += 1;
    parts.push(end === i ? `${first}` : `${first}-${sorted[end]}`);
    i = end + 1;
  }
  return parts.join(',');
}
