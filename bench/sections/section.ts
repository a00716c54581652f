import type { Finding } from '../finding.ts';
import type { PeerProgram } from '../peers/peer.ts';
import type { Pace } from '../rounds.ts';

/** What a section may use. */
export interface SectionContext {
  readonly kedge: PeerProgram;
  /** Absent when the run leaves etcd out. */
  readonly etcd: PeerProgram | undefined;
  /** The user's kine binary, when there is one. */
  readonly kine: string | undefined;
  readonly folder: string;
  readonly pace: Pace;
  progress(text: string): void;
  /** Prints a finding at once, for sections that take long; those that `run` resolves with come after. */
  tell(finding: Finding): void;
}

/** A part of the benchmark that is no table of rates. */
export interface Section {
  readonly name: string;
  readonly summary: string;
  /** Loads a million keys or so, and is therefore not part of `--quick`. */
  readonly isLong: boolean;
  run(context: SectionContext): Promise<Finding[]>;
}
