import { machineFactsShape, machineUseShape, schemaVersionShape } from './machine-shapes.ts';
import { count, exactly, list, optional, type Reader, record, text, yesNo } from './shape.ts';
import type { MachineFacts, MachineUse, RESOURCES_SCHEMA_VERSION } from './types.ts';

/* What people and programs are answered, on the command line as over HTTP. */

export interface ResourcesAnswer {
  readonly schemaVersion: typeof RESOURCES_SCHEMA_VERSION;
  readonly members: readonly MemberResources[];
}

/** One member's machine, or why there is nothing to tell of it. */
export interface MemberResources {
  readonly memberId: string;
  readonly name?: string | undefined;
  readonly isSelf: boolean;
  /**
   * current: read just now, or within the last day of the same start of the machine.
   * stale:   the member does not answer; these are the last facts there are, `problem` says why.
   * missing: the member does not answer and nothing is known.
   */
  readonly state: 'current' | 'stale' | 'missing';
  /** When the facts were read, in RFC 3339. */
  readonly fetchedAt?: string | undefined;
  readonly ageSeconds?: number | undefined;
  readonly facts?: MachineFacts | undefined;
  /** As it is now; left out when the member does not answer, also where its facts are known. */
  readonly use?: MachineUse | undefined;
  /** Follows the member's name: `did not answer within 3 s`. */
  readonly problem?: string | undefined;
}

/** Which CPU flags a guest finds wherever it runs. */
export interface CpuFlagsAnswer {
  readonly schemaVersion: typeof RESOURCES_SCHEMA_VERSION;
  /** Whether every member is counted. When not, what follows may be too good. */
  readonly isComplete: boolean;
  readonly architectures: readonly ArchitectureFlags[];
  /** Members that nothing is known of. */
  readonly missing: readonly MissingMember[];
}

export interface ArchitectureFlags {
  readonly architecture: string;
  /** On every core of every counted member, sorted, in the kernel's spelling. */
  readonly flags: readonly string[];
  /** The highest level (x86-64-v3, power9, z14) that they make up. */
  readonly level?: string | undefined;
  /** The QEMU CPU model that asks for most and is still satisfied; of the members' own vendor when they have one. */
  readonly model?: string | undefined;
  /** Every QEMU CPU model that they satisfy, the most demanding first. */
  readonly models: readonly string[];
  /** Age of the oldest facts that were counted. */
  readonly oldestAgeSeconds: number;
  readonly members: readonly CountedMember[];
}

export interface CountedMember {
  readonly memberId: string;
  readonly name?: string | undefined;
  readonly cores: number;
  readonly threads: number;
  readonly ageSeconds: number;
  /** It does not answer; counted with its last known facts. */
  readonly isStale: boolean;
}

export interface MissingMember {
  readonly memberId: string;
  readonly name?: string | undefined;
  readonly problem: string;
}

/** Who answers these questions: the own process, or a kedge over HTTP. Rejects with Failure. */
export interface ResourcesApi {
  /** All members, or the one that `member` names: its id, its name, or as much of its id as no other begins with. */
  resources(options: { readonly member?: string | undefined; readonly refresh: boolean }): Promise<ResourcesAnswer>;
  cpuFlags(options: { readonly refresh: boolean }): Promise<CpuFlagsAnswer>;
}

export const resourcesAnswerShape: Reader<ResourcesAnswer> = record<ResourcesAnswer>({
  schemaVersion: schemaVersionShape,
  members: list(
    record<MemberResources>({
      memberId: text,
      name: optional(text),
      isSelf: yesNo,
      state: exactly('current', 'stale', 'missing'),
      fetchedAt: optional(text),
      ageSeconds: optional(count),
      facts: optional(machineFactsShape),
      use: optional(machineUseShape),
      problem: optional(text),
    }),
  ),
});

export const cpuFlagsAnswerShape: Reader<CpuFlagsAnswer> = record<CpuFlagsAnswer>({
  schemaVersion: schemaVersionShape,
  isComplete: yesNo,
  architectures: list(
    record<ArchitectureFlags>({
      architecture: text,
      flags: list(text),
      level: optional(text),
      model: optional(text),
      models: list(text),
      oldestAgeSeconds: count,
      members: list(
        record<CountedMember>({
          memberId: text,
          name: optional(text),
          cores: count,
          threads: count,
          ageSeconds: count,
          isStale: yesNo,
        }),
      ),
    }),
  ),
  missing: list(record<MissingMember>({ memberId: text, name: optional(text), problem: text })),
});
