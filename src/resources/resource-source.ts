import type { MachineFacts, MachineUse } from './types.ts';

/**
 * One member whose machine can be asked about: the own one (LocalSource), another one over its link (RemoteSource).
 *
 * Whoever supplies the list names **every** member it knows of, also those it has no link to at the moment: their asking
 * rejects at once. Only so can an answer say who is missing from it.
 */
export interface ResourceSource {
  /** Its id, as member lists have it: what caches go by. */
  readonly memberId: string;
  /** For people: a host name, or what the member calls itself. */
  readonly name?: string | undefined;
  /**
   * The machine's present start, as it last said; undefined when it has not. Facts of another start are not taken from
   * the cache, so a machine that was rebuilt is not shown as it was.
   */
  readonly bootId: string | undefined;
  readonly isSelf: boolean;
  /** Rejects when the member cannot be asked; must end when `signal` does. */
  facts(signal: AbortSignal): Promise<MachineFacts>;
  use(signal: AbortSignal): Promise<MachineUse>;
}
