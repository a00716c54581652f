import { RESOURCE_LIMITS } from './limits.ts';
import { plainText } from './plain-text.ts';

/** Field names in lower case, spaces as one. */
export type CpuinfoFields = ReadonlyMap<string, string>;

/** /proc/cpuinfo taken apart, without knowing the architecture. */
export interface Cpuinfo {
  /** What stands outside of any processor's block: s390x's features, ARM's board, POWER's platform. */
  readonly shared: CpuinfoFields;
  /** In the file's order; offline ones are not in it. */
  readonly processors: readonly { readonly cpu: number; readonly fields: CpuinfoFields }[];
}

/**
 * A processor begins with a line `processor : 3` (s390x: `cpu number : 3`) and ends with an empty line. Lines before and
 * between belong to no processor; on MIPS the machine's stand in the first processor's block, before that line. Old ARM
 * kernels also have a `Processor : ARMv7 …`, which is no number and so begins nothing. s390x lists all in lines
 * `processor 0: version = …`.
 */
export function parseCpuinfo(text: string): Cpuinfo {
  const shared = new Map<string, string>();
  const processors: { cpu: number; fields: Map<string, string> }[] = [];
  let fields = shared;
  for (const line of text.split('\n')) {
    if (line.trim() === '') {
      fields = shared;
      continue;
    }
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const name = line.slice(0, colon).trim().replace(/\s+/g, ' ').toLowerCase();
    // Flags of newer x86 are longer than any name: they are cleaned one by one.
    const value = line.slice(colon + 1).trim();
    if ((name === 'processor' || name === 'cpu number') && /^\d{1,5}$/.test(value)) {
      if (processors.length >= RESOURCE_LIMITS.cpusMax) break;
      fields = new Map();
      processors.push({ cpu: Number(value), fields });
    } else if (!fields.has(name)) fields.set(name, value);
  }
  if (processors.length > 0) return { shared, processors };
  const listed = [...shared.keys()].flatMap((name) => /^processor (\d{1,5})$/.exec(name)?.[1] ?? []);
  return { shared, processors: listed.map((cpu) => ({ cpu: Number(cpu), fields: new Map<string, string>() })) };
}

/** The first of these fields that a processor has, or all share; fit to show. */
export function cpuinfoField(info: Cpuinfo, fields: CpuinfoFields, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = fields.get(name) ?? info.shared.get(name);
    const text = value === undefined ? undefined : plainText(value);
    if (text !== undefined) return text;
  }
  return undefined;
}

/** Words of a field of flags, sorted, each once. */
export function flagWords(value: string | undefined): readonly string[] {
  const words = (value ?? '').split(/[\s,]+/).filter((word) => /^[\w.+-]{1,64}$/.test(word));
  return [...new Set(words)].sort();
}
