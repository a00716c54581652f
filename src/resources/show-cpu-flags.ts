import type { ArchitectureFlags, CpuFlagsAnswer } from './answers.ts';
import { countText, spanText, table, wrap } from './text-layout.ts';

const LABEL_COLUMNS = 11;
/** Models shown beside the best one. */
const OTHER_MODELS_MAX = 4;

/** The common CPU flags, for people. Who is missing stands first: without them the rest may be too good. */
export function showCpuFlags(answer: CpuFlagsAnswer, columns: number): readonly string[] {
  const missing = answer.missing.map(({ memberId, name, problem }) => `  ${name ?? memberId}: ${problem}`);
  return [
    ...(answer.isComplete
      ? []
      : [
          `INCOMPLETE: nothing is known of ${countText(missing.length, 'member')}, which may lack any of these flags`,
          ...missing,
          '',
        ]),
    ...answer.architectures.flatMap((architecture, i) => [
      ...(i === 0 ? [] : ['']),
      ...showArchitecture(architecture, columns),
    ]),
  ];
}

function showArchitecture(those: ArchitectureFlags, columns: number): readonly string[] {
  const { architecture, flags, level, model, models, members, oldestAgeSeconds } = those;
  const threads = members.reduce((sum, member) => sum + member.threads, 0);
  const others = models.filter((name) => name !== model);
  const shown = others.slice(0, OTHER_MODELS_MAX).join(', ');
  const rest = others.length > OTHER_MODELS_MAX ? ` and ${others.length - OTHER_MODELS_MAX} more` : '';
  const oldest = oldestAgeSeconds < 10 ? 'read just now' : `the oldest facts are ${spanText(oldestAgeSeconds)} old`;
  const rows = members.map((member) => [
    member.name ?? member.memberId,
    `${member.cores}`,
    `${member.threads}`,
    `${spanText(member.ageSeconds)}${member.isStale ? ', does not answer' : ''}`,
  ]);
  const sections: readonly (readonly [string, readonly string[]])[] = [
    ['Level', level === undefined ? [] : [level]],
    ['QEMU CPU', model === undefined ? [] : [`${model}${shown === '' ? '' : ` (also satisfied: ${shown}${rest})`}`]],
    [`Flags`, flags.length === 0 ? ['none in common'] : [flags.join(' ')]],
    [
      'Counted',
      members.length < 2 ? [] : table(['MEMBER', 'CORES', 'THREADS', 'AGE'], rows, columns - LABEL_COLUMNS - 1),
    ],
  ];
  const head = `${architecture}: ${countText(flags.length, 'flag')} on all of ${countText(threads, 'thread')} of ${countText(members.length, 'member')}; ${oldest}`;
  return [
    head,
    ...sections.flatMap(([label, lines]) =>
      lines
        .flatMap((line) => (line.includes('  ') ? [line] : wrap(line, columns - LABEL_COLUMNS - 1)))
        .map((line, i) => `${(i === 0 ? `  ${label}` : '').padEnd(LABEL_COLUMNS)} ${line}`.trimEnd()),
    ),
  ];
}
