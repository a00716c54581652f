import { expect, it } from 'vitest';
import type { ArchitectureFlags, CpuFlagsAnswer } from './answers.ts';
import { showCpuFlags } from './show-cpu-flags.ts';

const x86: ArchitectureFlags = {
  architecture: 'x86_64',
  flags: ['avx', 'avx2', 'sse', 'sse2'],
  level: 'x86-64-v3',
  model: 'Haswell-noTSX',
  models: ['Haswell-noTSX', 'IvyBridge', 'SandyBridge', 'Westmere', 'Nehalem', 'Penryn', 'Conroe'],
  oldestAgeSeconds: 259200,
  members: [
    { memberId: 'a1', name: 'rack-7', cores: 4, threads: 8, ageSeconds: 3, isStale: false },
    { memberId: 'b2', cores: 2, threads: 2, ageSeconds: 259200, isStale: true },
  ],
};

it('says first who is missing, and who is counted with old facts', () => {
  const answer: CpuFlagsAnswer = {
    schemaVersion: 1,
    isComplete: false,
    architectures: [x86],
    missing: [{ memberId: 'c3', name: 'edge-3', problem: 'did not answer within 3 s' }],
  };
  expect(showCpuFlags(answer, 80)).toEqual([
    'INCOMPLETE: nothing is known of 1 member, which may lack any of these flags',
    '  edge-3: did not answer within 3 s',
    '',
    'x86_64: 4 flags on all of 10 threads of 2 members; the oldest facts are 3 d 0 h old',
    '  Level     x86-64-v3',
    '  QEMU CPU  Haswell-noTSX (also satisfied: IvyBridge, SandyBridge, Westmere,',
    '            Nehalem and 2 more)',
    '  Flags     avx avx2 sse sse2',
    '  Counted   MEMBER  CORES  THREADS  AGE',
    '            rack-7  4      8        3 s',
    '            b2      2      2        3 d 0 h, does not answer',
  ]);
});

it('says when there is nothing in common', () => {
  const [member] = x86.members;
  const alone = { architecture: 'mips', flags: [], models: [], oldestAgeSeconds: 0, members: member ? [member] : [] };
  expect(showCpuFlags({ schemaVersion: 1, isComplete: true, architectures: [alone], missing: [] }, 80)).toEqual([
    'mips: 0 flags on all of 8 threads of 1 member; read just now',
    '  Flags     none in common',
  ]);
});
