import { expect, it } from 'vitest';
import { cpuLevel } from './cpu-levels.ts';
import { fittingModels, QEMU_MODELS } from './qemu-models.ts';

/** QEMU's own table (docs/system/cpu-models-x86-abi.csv): the level that each model reaches. */
const LEVELS: Readonly<Record<string, string>> = {
  Conroe: 'x86-64-v1',
  Penryn: 'x86-64-v1',
  Nehalem: 'x86-64-v2',
  Westmere: 'x86-64-v2',
  SandyBridge: 'x86-64-v2',
  IvyBridge: 'x86-64-v2',
  'Haswell-noTSX': 'x86-64-v3',
  Haswell: 'x86-64-v3',
  'Broadwell-noTSX': 'x86-64-v3',
  Broadwell: 'x86-64-v3',
  'Skylake-Client-noTSX-IBRS': 'x86-64-v3',
  'Skylake-Client': 'x86-64-v3',
  'Skylake-Server-noTSX-IBRS': 'x86-64-v4',
  'Skylake-Server': 'x86-64-v4',
  'Cascadelake-Server-noTSX': 'x86-64-v4',
  'Cascadelake-Server': 'x86-64-v4',
  Cooperlake: 'x86-64-v4',
  'Icelake-Server-noTSX': 'x86-64-v4',
  'Icelake-Server': 'x86-64-v4',
  SapphireRapids: 'x86-64-v4',
  Opteron_G1: 'x86-64-v1',
  Opteron_G2: 'x86-64-v1',
  Opteron_G3: 'x86-64-v1',
  Opteron_G4: 'x86-64-v2',
  Opteron_G5: 'x86-64-v2',
  EPYC: 'x86-64-v3',
  'EPYC-Rome': 'x86-64-v3',
  'EPYC-Milan': 'x86-64-v3',
  'EPYC-Genoa': 'x86-64-v4',
};

it('every model reaches the level that QEMU says it has', () => {
  const reached = QEMU_MODELS.map(({ name, flags }) => [name, cpuLevel('x86_64', [...flags])]);
  expect(Object.fromEntries(reached)).toEqual(LEVELS);
});

it('names the most demanding model first', () => {
  const haswell = QEMU_MODELS.find(({ name }) => name === 'Haswell-noTSX');
  expect(fittingModels([...(haswell?.flags ?? [])])).toEqual([
    'Haswell-noTSX',
    'IvyBridge',
    'SandyBridge',
    'Westmere',
    'Nehalem',
    'Penryn',
    'Conroe',
    'Opteron_G2',
    'Opteron_G1',
  ]);
});

it('a flag too few and a model no longer fits', () => {
  for (const { name, flags } of QEMU_MODELS) {
    for (const flag of flags) expect(fittingModels([...flags].filter((one) => one !== flag))).not.toContain(name);
  }
  expect(fittingModels([])).toEqual([]);
});

it('levels need all that is below them', () => {
  const v3 = 'avx avx2 bmi1 bmi2 f16c fma abm movbe xsave'.split(' ');
  expect(cpuLevel('x86_64', v3)).toBeUndefined();
  expect(cpuLevel('s390x', ['zarch', 'highgprs', 'vx', 'vxe2', 'vxp'])).toBe('z13');
  expect(cpuLevel('ppc64le', ['arch_2_07', 'vsx', 'altivec', 'arch_3_00', 'ieee128'])).toBe('power9');
  for (const architecture of ['aarch64', 'constructor', '']) expect(cpuLevel(architecture, v3)).toBeUndefined();
});
