import { galeraSettings, MariadbServer } from './mariadb.ts';
import { freePorts } from './ports.ts';

/** Two real nodes of one Galera cluster on loopback. */
export interface GaleraPair {
  readonly nodes: readonly [MariadbServer, MariadbServer];
  dispose(): Promise<void>;
}

/** Starts the first node as a new cluster; the second one fetches its state by rsync. */
export async function startGaleraPair(): Promise<GaleraPair> {
  const ports = await freePorts(8);
  const [groupA = 0, istA = 0, sstA = 0, groupB = 0, istB = 0, sstB = 0, portA = 0, portB = 0] = ports;
  const first = await MariadbServer.make({
    settings: galeraSettings({ name: 'a', group: groupA, ist: istA, sst: sstA, peers: [] }),
    port: portA,
  });
  const second = await MariadbServer.make({
    settings: galeraSettings({ name: 'b', group: groupB, ist: istB, sst: sstB, peers: [groupA] }),
    port: portB,
  });
  await first.run();
  await second.run();
  return {
    nodes: [first, second],
    async dispose() {
      await second.dispose();
      await first.dispose();
    },
  };
}
