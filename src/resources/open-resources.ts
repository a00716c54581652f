import type { Random } from '../base/chance.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { fileCache } from './facts-cache.ts';
import { openLocalSource } from './local-source.ts';
import type { ResourceSource } from './resource-source.ts';
import { Resources } from './resources.ts';

export interface LocalResourcesOptions {
  /** The own id, as member lists have it. */
  readonly memberId: string;
  /** See LocalSourceOptions. */
  readonly root: string;
  /** Where facts are kept; made when the first are. */
  readonly cacheFolder: string;
  /** All other members, now; none when left out. Asked at each question. */
  readonly others?: () => readonly ResourceSource[];
  /** See LocalSourceOptions. */
  readonly onChange?: (() => void) | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What a server needs: answers about all members, and the own machine for those who ask for it over a link. */
export async function openResources(
  options: LocalResourcesOptions,
): Promise<{ readonly resources: Resources; readonly own: ResourceSource }> {
  const { others = () => [], cacheFolder, clock, random, logger } = options;
  const own = await openLocalSource(options);
  const sources = (): readonly ResourceSource[] => [own, ...others()];
  return { resources: new Resources({ sources, cache: fileCache(cacheFolder), clock, random, logger }), own };
}
