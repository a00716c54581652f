/** Parts of the lease space: lease ids by their low four bits. */
export const EXPIRE_PARTS = 16;

/** `expire-00` to `expire-15`. */
export const EXPIRE_DUTIES: readonly string[] = Array.from(
  { length: EXPIRE_PARTS },
  (_, part) => `expire-${String(part).padStart(2, '0')}`,
);

/** Everything that one member does for all, as far as a store has it to do. */
export const DUTY_NAMES: readonly string[] = [...EXPIRE_DUTIES, 'compact', 'vacuum', 'check', 'backup'];

/** Which of the EXPIRE_DUTIES a lease belongs to. */
export function expireDutyOf(leaseId: bigint): string {
  return EXPIRE_DUTIES[Number(leaseId & 15n)] ?? '';
}
