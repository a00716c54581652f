import { compaction } from './compaction.ts';
import { flatness } from './flatness.ts';
import { generator } from './generator.ts';
import { kineSections } from './kine.ts';
import { memory } from './memory.ts';
import { peers } from './peers.ts';
import { resources } from './resources.ts';
import type { Section } from './section.ts';
import { sharedSections } from './shared.ts';
import { sharedCompactionSections } from './shared-compaction.ts';
import { start } from './start.ts';

/** In the order they run, behind the table. */
export const sections: readonly Section[] = [
  generator,
  memory,
  start,
  flatness,
  compaction,
  resources,
  peers,
  ...sharedSections,
  ...sharedCompactionSections,
  ...kineSections,
];
