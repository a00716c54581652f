import { createHash } from 'node:crypto';

/**
 * Highest random weight: everybody who knows the same names computes the same order, and one name that goes moves
 * only what was its own.
 * Source: Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous" (1996).
 */
export function rendezvousOwner(what: string, names: readonly string[]): string | undefined {
  let owner: string | undefined;
  let highest = -1;
  for (const name of names) {
    const weight = rendezvousWeight(what, name);
    if (weight > highest || (weight === highest && name < (owner ?? ''))) {
      owner = name;
      highest = weight;
    }
  }
  return owner;
}

/** 48 bits of SHA-256. */
export function rendezvousWeight(what: string, name: string): number {
  return createHash('sha256').update(`${what}\0${name}`).digest().readUIntBE(0, 6);
}
