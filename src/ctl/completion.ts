import { type Command, ExitCode } from '../base/command.ts';
import type { OptionSpec } from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';

const SHELLS = ['bash', 'zsh', 'fish'];

/** `kedge completion <shell>`: a script for the shell to source, made from the commands' declarations. */
export function completionCommand(
  commands: () => readonly Command[],
  print: (line: string) => void,
): Command<Record<string, never>> {
  return {
    name: 'completion',
    summary: 'print a completion script for bash, zsh or fish',
    operands: [{ name: 'shell', help: SHELLS.join(', '), required: true, choices: SHELLS }],
    options: {},
    details: [
      'bash:  source <(kedge completion bash)        in ~/.bashrc',
      'zsh:   source <(kedge completion zsh)         in ~/.zshrc, after compinit',
      'fish:  kedge completion fish | source         in ~/.config/fish/config.fish',
    ].join('\n'),
    async run({ operands }) {
      const shell = operands[0];
      if (shell === 'bash') print(bashScript(commands()));
      else if (shell === 'zsh') print(`autoload -U +X bashcompinit && bashcompinit\n${bashScript(commands())}`);
      else if (shell === 'fish') print(fishScript(commands()));
      else throw new UsageError(`completion: "${shell}" is not one of ${SHELLS.join(', ')}`);
      return ExitCode.ok;
    },
  };
}

type Spec = OptionSpec<unknown>;

function specsOf(command: Command): readonly Spec[] {
  return Object.values(command.options);
}

function isSwitch(spec: Spec): boolean {
  return spec.kind.placeholder === '';
}

/** Whether a flag's value is the name of a file or folder. */
function isPath(spec: Spec): boolean {
  return /^(?:path|output)/.test(spec.kind.placeholder);
}

/** `--write-out`, and `-w` if there is one. */
function namesOf(spec: Spec): string[] {
  return spec.short === undefined ? [`--${spec.flag}`] : [`--${spec.flag}`, `-${spec.short}`];
}

/** The words that can follow a prefix of words: `''` → serve, snapshot, …; `snapshot` → restore. */
function nextWords(commands: readonly Command[]): Map<string, Set<string>> {
  const next = new Map<string, Set<string>>();
  for (const command of commands) {
    const words = command.name.split(' ');
    words.forEach((word, i) => {
      const prefix = words.slice(0, i).join(' ');
      next.set(prefix, (next.get(prefix) ?? new Set()).add(word));
    });
  }
  return next;
}

/*
 * bash: the words that name the command are those that are neither flags nor flags' values; what follows them comes
 * from one table. A flag's value comes from another. `=` is a word of its own there. zsh runs it too (bashcompinit): there
 * an offset must not begin with a letter, `words` is the shell's own, and `--flag=value` is one word.
 */
function bashScript(commands: readonly Command[]): string {
  const specs = commands.flatMap(specsOf);
  const unique = (lines: readonly string[]) => [...new Set(lines)].join('\n');
  const values = specs
    .filter((spec) => spec.kind.choices !== undefined)
    .map((spec) => `    ${namesOf(spec).join('|')}) choices='${spec.kind.choices?.join(' ')}' ;;`);
  const paths = specs
    .filter(isPath)
    .map((spec) => `    ${namesOf(spec).join('|')}) COMPREPLY=($(compgen -P "$glue" -f -- "$cur")); return ;;`);
  const others = specs
    .filter((spec) => !isSwitch(spec) && !isPath(spec) && spec.kind.choices === undefined)
    .map((spec) => `    ${namesOf(spec).join('|')}) return ;;`);
  const valued = [...new Set(specs.filter((spec) => !isSwitch(spec)).flatMap(namesOf))];
  const next = nextWords(commands);
  const cases = [...next]
    .filter(([prefix]) => !commands.some((command) => command.name === prefix))
    .map(([prefix, words]) => `    '${prefix}') offers='${[...words].join(' ')}' ;;`);
  for (const command of commands) {
    const choices = command.operands.flatMap((operand) => operand.choices ?? []);
    // A command may have subcommands too.
    const words = [...(next.get(command.name) ?? []), ...choices, ...specsOf(command).flatMap(namesOf), '--help'];
    cases.push(`    '${command.name}'*) offers='${words.join(' ')}' ;;`);
  }
  // The longest names first: "get" would match "get-something".
  const longestFirst = cases.sort((a, b) => b.indexOf(')') - a.indexOf(')'));
  return `# kedge completion for bash
_kedge() {
  local cur prev line='' word skip='' choices='' offers='' glue=''
  cur=\${COMP_WORDS[COMP_CWORD]}
  prev=\${COMP_WORDS[COMP_CWORD-1]}
  if [ "$cur" = = ]; then cur=''; elif [ "$prev" = = ]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  case $cur in --*=*) prev=\${cur%%=*}; glue=$prev=; cur=\${cur#*=} ;; esac
  case $prev in
${unique(values)}
${unique(paths)}
${unique(others)}
  esac
  if [ -n "$choices" ]; then COMPREPLY=($(compgen -P "$glue" -W "$choices" -- "$cur")); return; fi
  for word in "\${COMP_WORDS[@]:1:$((COMP_CWORD - 1))}"; do
    if [ "$word" = = ]; then skip=1; continue; fi
    if [ -n "$skip" ]; then skip=''; continue; fi
    case $word in
      -*) case ' ${valued.join(' ')} ' in *" $word "*) skip=1 ;; esac ;;
      *) line="\${line:+$line }$word" ;;
    esac
  done
  case $line in
${longestFirst.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$offers" -- "$cur"))
}
complete -o default -F _kedge kedge`;
}

function fishScript(commands: readonly Command[]): string {
  const lines = ['# kedge completion for fish', 'complete -c kedge -f'];
  const next = nextWords(commands);
  const groups = [...next.keys()].filter((prefix) => prefix !== '');
  for (const [prefix, words] of next) {
    // Not __fish_use_subcommand, which takes a flag's value for a subcommand.
    const none = `not ${seen([...words].join(' '))}`;
    const condition = prefix === '' ? none : `${seen(prefix)}; and ${none}`;
    for (const word of words) {
      const command = commands.find((known) => known.name === `${prefix} ${word}`.trim());
      const members = [...(next.get(word) ?? [])].join(', ');
      lines.push(`complete -c kedge -n '${condition}' -a '${word}' -d '${quoted(command?.summary ?? members)}'`);
    }
  }
  for (const command of commands) {
    const [first = '', second] = command.name.split(' ');
    // "get" is a command, and the second word of others.
    const condition =
      second === undefined
        ? `${seen(first)}; and not ${seen(groups.join(' '))}`
        : `${seen(first)}; and ${seen(second)}`;
    for (const choice of command.operands.flatMap((operand) => operand.choices ?? [])) {
      lines.push(`complete -c kedge -n '${condition}' -a '${choice}'`);
    }
    for (const spec of specsOf(command)) {
      const short = spec.short === undefined ? '' : ` -s ${spec.short}`;
      const values =
        spec.kind.choices !== undefined ? ` -x -a '${spec.kind.choices.join(' ')}'` : isPath(spec) ? ' -r -F' : ' -x';
      const value = isSwitch(spec) ? '' : values;
      lines.push(`complete -c kedge -n '${condition}'${short} -l ${spec.flag}${value} -d '${quoted(spec.help)}'`);
    }
  }
  return lines.join('\n');
}

function seen(words: string): string {
  return `__fish_seen_subcommand_from ${words}`;
}

function quoted(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
}
