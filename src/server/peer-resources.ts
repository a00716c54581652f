import { PEER_LIMITS } from '../peers/limits.ts';
import type { Peers } from '../peers/peers.ts';
import { answerResourceRequest, remoteSource } from '../resources/remote-source.ts';
import type { ResourceSource } from '../resources/resource-source.ts';

/** The kind of request that carries what `resources` asks of another member. */
const KIND = 'resources';

/** All other members to ask for what their machines have; those whose link broke too, so that answers can miss them. */
export function peerResourceSources(peers: Peers): readonly ResourceSource[] {
  const others = [...peers.members().map(({ hello }) => hello), ...peers.lostMembers()];
  return others.map(({ id, name, etcdMemberId }) =>
    remoteSource({
      memberId: etcdMemberId,
      name,
      bootId: undefined,
      exchange: (request, signal) =>
        new Promise((resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
          peers.request(id, KIND, request).then(resolve, reject);
        }),
    }),
  );
}

/** Answers other members about this machine. */
export function answerPeersAboutResources(peers: Peers, own: ResourceSource): void {
  peers.handle(KIND, (request) => answerResourceRequest(request, own, AbortSignal.timeout(PEER_LIMITS.requestMs)));
}
