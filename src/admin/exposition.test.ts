import { expect, it } from 'vitest';
import { Counter, Histogram } from '../base/metrics.ts';
import { counter, Exposition, gauge, histogram } from './exposition.ts';

it('writes counters, gauges and histograms as Prometheus reads them', () => {
  const puts = new Counter();
  puts.value = 3;
  const seconds = new Histogram([0.001, 0.002, 0.1 + 0.2]);
  for (const value of [0.0005, 0.001, 0.002, 0.3, 9]) seconds.observe(value);
  const exposition = new Exposition();
  exposition.family(counter('puts_total', 'Puts,\nall of them.', puts));
  exposition.family(gauge('build', 'Version.', () => 1, { version: 'a"b\\c\n' }));
  exposition.family(histogram('commit_seconds', 'Commits.', seconds));
  expect(exposition.toString()).toBe(
    [
      '# HELP puts_total Puts,\\nall of them.',
      '# TYPE puts_total counter',
      'puts_total 3',
      '# HELP build Version.',
      '# TYPE build gauge',
      'build{version="a\\"b\\\\c\\n"} 1',
      '# HELP commit_seconds Commits.',
      '# TYPE commit_seconds histogram',
      'commit_seconds_bucket{le="0.001"} 2',
      'commit_seconds_bucket{le="0.002"} 3',
      'commit_seconds_bucket{le="0.3"} 4',
      'commit_seconds_bucket{le="+Inf"} 5',
      'commit_seconds_sum 9.3035',
      'commit_seconds_count 5',
      '',
    ].join('\n'),
  );
});
