import { join } from 'node:path';
import type { Random } from '../base/chance.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { PEER_LIMITS } from '../peers/limits.ts';
import type { Peers } from '../peers/peers.ts';
import type { HttpHandler } from '../wire/http.ts';
import type { ServeOptions } from './options.ts';

/**
 * Joins what machines have to the pages and to the other members. Loaded when somebody asks for the first time: most
 * servers are never asked, and a start has better things to do.
 *
 *     GET /resources ─▶ Resources ─▶ its cache, the own machine, or `resources` over the links
 *     another asks us ─▶ the own machine
 *     the own machine has changed ─▶ `resources-changed` over the links ─▶ others ask anew
 */
export interface ResourceJoiningContext {
  readonly options: ServeOptions;
  /** Our id in the etcd API. */
  readonly memberId: bigint;
  readonly peers: Peers | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** The kind of request that carries what `resources` asks of another member. */
const KIND = 'resources';
/** The topic by which a member tells that its machine is not what it was. */
const CHANGED = 'resources-changed';

/** Answers the page; other members are answered from now on. */
export function joinResources(context: ResourceJoiningContext): HttpHandler {
  const { peers, logger } = context;
  let opening: ReturnType<typeof open> | undefined;
  const opened = (): ReturnType<typeof open> => {
    opening ??= open(context).catch((error: unknown) => {
      // As while the program is being replaced on the disk: whoever asks next tries again.
      opening = undefined;
      throw error;
    });
    return opening;
  };
  peers?.handle(KIND, async (request) => {
    const { answerResourceRequest, own } = await opened();
    return await answerResourceRequest(request, own, AbortSignal.timeout(PEER_LIMITS.requestMs));
  });
  peers?.onMessage(CHANGED, (_, from) => {
    opened().then(
      ({ resources }) => resources.noteChange(from.etcdMemberId),
      (error: unknown) => logger.warn('resources cannot be loaded', { reason: String(error) }),
    );
  });
  return async (request) => (await opened()).handler(request);
}

async function open({ options, memberId, peers, clock, random, logger }: ResourceJoiningContext) {
  const [{ openResources }, { resourcesHandler }, { answerResourceRequest, remoteSource }] = await Promise.all([
    import('../resources/open-resources.ts'),
    import('../resources/http-handler.ts'),
    import('../resources/remote-source.ts'),
  ]);
  const { resources, own } = await openResources({
    memberId: memberId.toString(16),
    root: options.resourcesRoot,
    cacheFolder: join(options.dataDir, 'resources'),
    others: () => (peers === undefined ? [] : others(peers)),
    onChange: () => peers?.tell(CHANGED, () => Buffer.alloc(0)),
    clock,
    random,
    logger,
  });
  return { resources, own, handler: resourcesHandler(resources), answerResourceRequest };

  /** All other members; those whose link broke too, so that answers can miss them. */
  function others(linked: Peers) {
    return [...linked.members().map(({ hello }) => hello), ...linked.lostMembers()].map(
      ({ id, name, etcdMemberId, bootId }) =>
        remoteSource({
          memberId: etcdMemberId,
          name,
          bootId,
          exchange: (request, signal) =>
            new Promise((resolve, reject) => {
              signal.addEventListener('abort', () => reject(signal.reason), { once: true });
              linked.request(id, KIND, request).then(resolve, reject);
            }),
        }),
    );
  }
}
