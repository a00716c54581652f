/**
 * The extensions of a RISC-V ISA string (`rv64imafdc_zicsr_zba`, the kernel's Documentation/arch/riscv/uabi.rst):
 * single letters after the width, longer names behind underscores. `g` stands for imafd with Zicsr and Zifencei
 * (the unprivileged manual, "RV32/64G"). Sorted, each once; undefined for what is no such string.
 */
export function riscvExtensions(isa: string | undefined): readonly string[] | undefined {
  const match = /^rv(?:32|64|128)([a-z]*)((?:_[a-z0-9]+)*)$/.exec(isa?.trim().toLowerCase() ?? '');
  if (match === null) return undefined;
  const found = new Set<string>();
  // Old device trees run a longer name on behind the letters: rv64imafdcsu, rv64imafdc_zifencei, rv64imacxtheadvector.
  const letters = match[1] ?? '';
  const nameAt = letters.search(/[xz]/);
  for (const letter of nameAt < 0 ? letters : letters.slice(0, nameAt)) {
    if (letter === 'g') for (const part of ['i', 'm', 'a', 'f', 'd', 'zicsr', 'zifencei']) found.add(part);
    else found.add(letter);
  }
  if (nameAt >= 0) found.add(letters.slice(nameAt));
  for (const name of (match[2] ?? '').split('_')) {
    // A version behind a name, as compilers write it: zba1p0.
    if (name !== '') found.add(name.replace(/\d+p\d+$/, ''));
  }
  return [...found].sort();
}
