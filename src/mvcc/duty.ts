import type { DutyClaim } from './duty-fence.ts';

/** Something that one replica does for all, every so often. */
export interface Duty {
  /** Its name at the fence; several where it is shared out in parts, which are claimed together. */
  readonly parts: readonly string[];
  readonly everyMs: number;
  /** After a run that failed, instead of everyMs. Default: everyMs. */
  readonly retryMs?: number;
  /** One that nobody has ever claimed is left alone so long after the start. Default 0. */
  readonly firstAfterMs?: number;
  /** The duty whose owner has this one too. Default: the part itself. */
  readonly ruledBy?: string;
  /** Whether there is something to do, as far as memory tells: else nothing is claimed. Default: always. */
  isWanted?(part: string): boolean;
  /** The listener is to be called when there is something to do, for those who do not want to wait for the next look. */
  onWanted?(listener: () => void): void;
  /**
   * The work, for the parts that were claimed. May run on two replicas at once. `failed`: to be tried again after
   * retryMs; it has told people why. Never rejects. `signal`: the store stops.
   */
  run(claims: readonly DutyClaim[], signal: AbortSignal): Promise<'done' | 'failed'>;
}

/**
 * Who is to run what, as this replica sees it. Wrong answers cost time: what its owner leaves undone for long is done by
 * whoever sees it, and the fence sees to it that no two begin.
 */
export interface DutyRule {
  /** This replica, as the fence names it. */
  readonly self: string;
  /** Whether this replica may run anything. */
  readonly isAble: boolean;
  /** Undefined: nobody that is known may. */
  ownerOf(duty: string): string | undefined;
}

/** How a duty stands, as this replica last heard. */
export interface DutyState {
  readonly name: string;
  /** 0: never claimed. */
  readonly epoch: number;
  /** Who claimed it last; undefined: nobody yet. */
  readonly holder: string | undefined;
  /** Whether that was this replica. */
  readonly isOurs: boolean;
  /** Whom the rule names; undefined where there is no rule, or nobody may. */
  readonly owner: string | undefined;
  /** Since the last claim. */
  readonly ageMs: number | undefined;
  /** How long it has been left undone beyond its interval, while there was something to do. */
  readonly lateMs: number;
}
