import { setTimeout as sleep } from 'node:timers/promises';
import { load } from '../experiments.ts';
import type { Finding } from '../finding.ts';
import { Peer, type PeerProgram } from '../peers/peer.ts';
import type { Section, SectionContext } from './section.ts';

const keys = 100_000;
const valueBytes = 1024;
const idleSeconds = 5;

/** Resident memory with 100,000 keys of 1 KiB, right after loading them and after some idle seconds. */
export const memory: Section = {
  name: 'memory',
  summary: 'resident memory with 100,000 keys of 1 KiB',
  isLong: false,
  run: async (context) => {
    const kedge = await residents(context.kedge, context);
    const etcd = context.etcd === undefined ? undefined : await residents(context.etcd, context);
    return ['after loading', `after ${idleSeconds} s idle`].map((when, i): Finding => {
      const figure = kedge[i] ?? 0;
      const finding = { section: 'memory', what: `100,000 keys of 1 KiB, ${when}`, figure, unit: 'MiB' };
      const peer = etcd?.[i];
      if (peer === undefined) return finding;
      const bar = { text: "at most etcd's", isCleared: figure <= peer };
      return { ...finding, against: { what: 'etcd', figure: peer }, bar };
    });
  },
};

async function residents(program: PeerProgram, context: SectionContext): Promise<number[]> {
  context.progress(`memory: loading ${program.name}`);
  const peer = await Peer.start(program, context.folder);
  try {
    await load(peer, keys, valueBytes);
    const loaded = peer.residentMebibytes();
    await sleep(idleSeconds * 1000);
    return [loaded, peer.residentMebibytes()];
  } finally {
    await peer.remove();
  }
}
