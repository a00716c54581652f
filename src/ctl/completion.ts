import { type Command, ExitCode } from '../base/command.ts';
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

function flagsOf(command: Command): string[] {
  return [...Object.values(command.options).map((spec) => `--${spec.flag}`), '--help'];
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

function bashScript(commands: readonly Command[]): string {
  const wordsAfter = new Map([...nextWords(commands)].map(([prefix, words]) => [prefix, [...words]]));
  for (const command of commands) {
    const choices = command.operands.flatMap((operand) => operand.choices ?? []);
    // A command may have subcommands too.
    const next = wordsAfter.get(command.name) ?? [];
    wordsAfter.set(command.name, [...next, ...choices, ...flagsOf(command)]);
  }
  const cases = [...wordsAfter].map(([prefix, words]) => `    '${prefix}') words='${words.join(' ')}' ;;`);
  const valued = commands.flatMap((command) =>
    Object.values(command.options)
      .filter((spec) => spec.kind.choices !== undefined)
      .map(
        (spec) =>
          `    --${spec.flag}) COMPREPLY=($(compgen -W '${spec.kind.choices?.join(' ')}' -- "$cur")); return ;;`,
      ),
  );
  return `# kedge completion for bash
_kedge() {
  local cur prev line word words=''
  cur=\${COMP_WORDS[COMP_CWORD]}
  prev=\${COMP_WORDS[COMP_CWORD-1]}
  case $prev in
${valued.join('\n')}
    --data-dir|--log-outputs) COMPREPLY=($(compgen -f -- "$cur")); return ;;
  esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in -*) break ;; esac
    line="\${line:+$line }$word"
  done
  case $line in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _kedge kedge`;
}

function fishScript(commands: readonly Command[]): string {
  const lines = ['# kedge completion for fish', 'complete -c kedge -f'];
  for (const [prefix, words] of nextWords(commands)) {
    const condition =
      prefix === ''
        ? '__fish_use_subcommand'
        : `__fish_seen_subcommand_from ${prefix}; and not __fish_seen_subcommand_from ${[...words].join(' ')}`;
    for (const word of words) {
      const command = commands.find((known) => known.name === `${prefix} ${word}`.trim());
      const help = command?.summary ?? '';
      lines.push(`complete -c kedge -n '${condition}' -a '${word}' -d '${help.replaceAll("'", "\\'")}'`);
    }
  }
  for (const command of commands) {
    const condition = `__fish_seen_subcommand_from ${command.name.split(' ').at(-1)}`;
    for (const choice of command.operands.flatMap((operand) => operand.choices ?? [])) {
      lines.push(`complete -c kedge -n '${condition}' -a '${choice}'`);
    }
    for (const spec of Object.values(command.options)) {
      const values = spec.kind.choices === undefined ? '-r -F' : `-x -a '${spec.kind.choices.join(' ')}'`;
      const help = spec.help.replaceAll("'", "\\'");
      lines.push(
        `complete -c kedge -n '${condition}' -l ${spec.flag} ${spec.kind.placeholder === '' ? '' : `${values} `}-d '${help}'`,
      );
    }
  }
  return lines.join('\n');
}
