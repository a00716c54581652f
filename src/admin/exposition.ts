import type { Counter, Gauge, Histogram } from '../base/metrics.ts';

/**
 * Prometheus' text format (version 0.0.4) straight from cells. A family is a name, a help text and samples that are
 * read when somebody asks, never before.
 */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  write(to: Exposition): void;
}

export type Labels = Readonly<Record<string, string>>;

export const EXPOSITION_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Collects lines of samples. */
export class Exposition {
  #name = '';
  readonly #lines: string[] = [];

  family(family: Family): void {
    this.#name = family.name;
    this.#lines.push(`# HELP ${family.name} ${escapeHelp(family.help)}`, `# TYPE ${family.name} ${family.type}`);
    family.write(this);
  }

  sample(value: number, labels?: Labels, suffix = ''): void {
    this.#lines.push(`${this.#name}${suffix}${formatLabels(labels)} ${formatValue(value)}`);
  }

  /** `scale` turns the cell's unit into the name's: 0.001 for milliseconds to seconds. */
  histogram(cell: Histogram, labels?: Labels, scale = 1): void {
    let cumulative = 0;
    for (let i = 0; i < cell.bounds.length; i++) {
      cumulative += cell.counts[i] ?? 0;
      this.sample(cumulative, { ...labels, le: formatValue((cell.bounds[i] ?? 0) * scale) }, '_bucket');
    }
    this.sample(cell.count, { ...labels, le: '+Inf' }, '_bucket');
    this.sample(cell.sum * scale, labels, '_sum');
    this.sample(cell.count, labels, '_count');
  }

  toString(): string {
    return `${this.#lines.join('\n')}\n`;
  }
}

export function counter(name: string, help: string, read: Counter | (() => number)): Family {
  return { name, help, type: 'counter', write: (to) => to.sample(typeof read === 'function' ? read() : read.value) };
}

export function gauge(name: string, help: string, read: Gauge | Counter | (() => number), labels?: Labels): Family {
  return {
    name,
    help,
    type: 'gauge',
    write: (to) => to.sample(typeof read === 'function' ? read() : read.value, labels),
  };
}

export function histogram(name: string, help: string, cell: Histogram, scale = 1): Family {
  return { name, help, type: 'histogram', write: (to) => to.histogram(cell, undefined, scale) };
}

function formatValue(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  // Twelve digits take away what binary fractions add (0.001 * 2 ** 3 * 3 …) and keep every count exact.
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(12)));
}

function formatLabels(labels: Labels | undefined): string {
  if (labels === undefined) return '';
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (found) => (found === '\n' ? '\\n' : `\\${found}`));
}

function escapeHelp(text: string): string {
  return text.replace(/[\\\n]/g, (found) => (found === '\n' ? '\\n' : '\\\\'));
}
