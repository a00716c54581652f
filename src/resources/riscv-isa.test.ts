import { expect, it } from 'vitest';
import { riscvExtensions } from './riscv-isa.ts';

it('takes an ISA string apart', () => {
  expect(riscvExtensions('rv64imafdc_zicsr_zifencei')).toEqual(['a', 'c', 'd', 'f', 'i', 'm', 'zicsr', 'zifencei']);
  expect(riscvExtensions('rv64gc')).toEqual(['a', 'c', 'd', 'f', 'i', 'm', 'zicsr', 'zifencei']);
  expect(riscvExtensions('RV64IMAC_Zba1p0')).toEqual(['a', 'c', 'i', 'm', 'zba']);
  expect(riscvExtensions('rv64imacxtheadvector_zbb')).toEqual(['a', 'c', 'i', 'm', 'xtheadvector', 'zbb']);
});

it('takes nothing else', () => {
  for (const text of [undefined, '', 'mips32r2', 'rv64', 'rv64i m', 'loongarch64']) {
    const expected = text === 'rv64' ? [] : undefined;
    expect(riscvExtensions(text), text).toEqual(expected);
  }
});
