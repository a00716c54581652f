import type { ArchitectureFlags, CpuFlagsAnswer, MemberResources } from './answers.ts';
import { cpuLevel } from './cpu-levels.ts';
import { fittingModels } from './qemu-models.ts';
import { commonFlags } from './read-cpu.ts';
import { type MachineFacts, RESOURCES_SCHEMA_VERSION } from './types.ts';

/**
 * The CPU flags that members have in common, for each architecture: what a guest may use and still be moved anywhere.
 * A member without facts is named and makes the answer incomplete, whatever the others have: it could lack any flag.
 */
export function commonCpuFlags(members: readonly MemberResources[]): CpuFlagsAnswer {
  const counted = members.flatMap((member) => (member.facts === undefined ? [] : [{ member, facts: member.facts }]));
  const byArchitecture = new Map<string, Counted[]>();
  for (const one of counted) {
    const { architecture } = one.facts.cpu;
    byArchitecture.set(architecture, [...(byArchitecture.get(architecture) ?? []), one]);
  }
  const missing = members
    .filter(({ facts }) => facts === undefined)
    .map(({ memberId, name, problem }) => ({ memberId, name, problem: problem ?? 'said nothing' }));
  return {
    schemaVersion: RESOURCES_SCHEMA_VERSION,
    isComplete: missing.length === 0,
    architectures: [...byArchitecture]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([architecture, those]) => describe(architecture, those)),
    missing,
  };
}

interface Counted {
  readonly member: MemberResources;
  readonly facts: MachineFacts;
}

function describe(architecture: string, counted: readonly Counted[]): ArchitectureFlags {
  // Each machine's flags are already those of all its cores.
  const flags = commonFlags(counted.map(({ facts }) => facts.cpu.flags));
  const vendors = new Set(counted.map(({ facts }) => facts.cpu.vendor));
  const vendor = vendors.size === 1 ? [...vendors][0] : undefined;
  const models = architecture === 'x86_64' ? fittingModels(flags) : [];
  return {
    architecture,
    flags,
    level: cpuLevel(architecture, flags),
    model: architecture === 'x86_64' ? (fittingModels(flags, vendor)[0] ?? models[0]) : undefined,
    models,
    oldestAgeSeconds: Math.max(...counted.map(({ member }) => member.ageSeconds ?? 0)),
    members: counted.map(({ member, facts }) => ({
      memberId: member.memberId,
      name: member.name,
      cores: facts.cpu.cores,
      threads: facts.cpu.threads,
      ageSeconds: member.ageSeconds ?? 0,
      isStale: member.state === 'stale',
    })),
  };
}
