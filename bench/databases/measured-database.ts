/** A database server for the while, and what it says of the work it was given. */
export interface MeasuredDatabase {
  /** The server's name and version. */
  readonly server: string;
  /** For kedge: a store of its own, each time the same one. */
  readonly url: string;
  /** Forgets what statements took so far. */
  forgetStatements(): Promise<void>;
  /** What took longest since, the longest first. */
  longestStatements(): Promise<readonly StatementTime[]>;
  /** What the store takes on the server's disk. */
  fileBytes(): Promise<number>;
  /** What is deleted and not cleared away yet, in words; '' when nothing is to say. */
  leftovers(): Promise<string>;
  /** Makes all commits so far as old as two hours: then they may be forgotten. */
  ageCommits(): Promise<void>;
  /**
   * Brings to the disk what is written so far. Without it the kernel does, 30 s later and as fast as the disk takes it,
   * while commits wait: a bulk load is felt by whatever is measured then.
   */
  settle(): Promise<void>;
  dispose(): Promise<void>;
}

export interface StatementTime {
  /** The longest of this statement, in milliseconds. */
  readonly ms: number;
  /** How often it was asked; 0 where the server does not tell. */
  readonly calls: number;
  /** Its beginning, on one line. */
  readonly text: string;
}

/** A statement's beginning on one line. */
export function shortened(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 110 ? `${line.slice(0, 109)}…` : line;
}
