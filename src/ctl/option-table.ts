import { environmentName, type OptionTable } from '../base/options.ts';

/** A table of options in Markdown, by group, as the README shows it. */
export function optionTable(options: OptionTable): string {
  const lines: string[] = [];
  let group = '';
  for (const spec of Object.values(options)) {
    if (spec.group !== group) {
      group = spec.group;
      lines.push('', `**${group}**`, '', '| Flag | Default | What it does |', '| --- | --- | --- |');
    }
    const value = spec.kind.placeholder === '' ? '' : ` <${spec.kind.placeholder}>`;
    const shown = spec.defaultText ?? spec.kind.format(spec.default);
    lines.push(
      `| ${code(`--${spec.flag}${value}`)}<br>${code(environmentName(spec.flag))} | ${cell(shown)} | ${cell(spec.help)} |`,
    );
  }
  return lines.join('\n').trim();
}

function code(text: string): string {
  return `\`${cell(text)}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<data-dir>', '(data-dir)');
}
