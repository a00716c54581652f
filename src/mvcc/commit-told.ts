import type { CommitId, Cursor } from './types.ts';

/** A commit as it is told of at once: durable, and seen by everybody who asks the log now. */
export interface CommitTold {
  /** The commit that it came upon. */
  readonly upon: CommitId;
  readonly cursor: Cursor;
}

/** `<upon> <commit> <revision> <notes>`: as a database tells it (log/postgres/statements.ts), and replicas each other. */
export function encodeTold({ upon, cursor }: CommitTold): string {
  return `${upon} ${cursor.commit} ${cursor.revision} ${cursor.notes}`;
}

/** undefined: it tells of no commit. */
export function decodeTold(text: string): CommitTold | undefined {
  const numbers = text.split(' ').map(Number);
  const [upon, commit, revision, notes] = numbers;
  if (upon === undefined || commit === undefined || revision === undefined || notes === undefined) return undefined;
  if (numbers.length > 4 || !numbers.every((each) => Number.isSafeInteger(each) && each >= 0)) return undefined;
  return { upon, cursor: { revision, notes, commit } };
}
