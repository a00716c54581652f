import { LogError, type LogErrorCode } from '../../mvcc/log.ts';

/** A LogError as it crosses between threads. */
export interface ErrorMessage {
  readonly code: LogErrorCode;
  readonly message: string;
}

/** The one place where SQLite's and the file system's errors become LogErrors. `file` is named in the message. */
export function translate(error: unknown, file: string): LogError {
  if (error instanceof LogError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  const options = { cause: error };
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') return corrupt(file, text, options);
  if (code === 'SQLITE_FULL' || code === 'ENOSPC' || code === 'EDQUOT') {
    return new LogError(
      'unavailable',
      `${file}: the disk is full: free some space, writes go on by themselves`,
      options,
    );
  }
  if (code.startsWith('SQLITE_READONLY') || code === 'EROFS') {
    return new LogError('unavailable', `${file}: the file or its disk is read-only (${text})`, options);
  }
  if (code.startsWith('SQLITE_IOERR')) {
    return new LogError(
      'unavailable',
      `${file}: the disk failed (${code}: ${text}); look at the kernel's log`,
      options,
    );
  }
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return new LogError('unavailable', `${file}: another program holds the file locked (${code})`, options);
  }
  if (code.startsWith('SQLITE_CANTOPEN') || code === 'EACCES' || code === 'EPERM' || code === 'ENOENT') {
    return new LogError(
      'unavailable',
      `${file}: cannot open it (${code}: ${text}); look at the folder and its rights`,
      options,
    );
  }
  return new LogError('unavailable', `${file}: ${code} ${text}`, options);
}

/** The data is damaged; says what to do about it. */
export function corrupt(file: string, what: string, options?: ErrorOptions): LogError {
  return new LogError(
    'corrupt',
    `${file} is damaged (${what}): keep a copy of it and restore a snapshot with "kedge snapshot restore"`,
    options,
  );
}

/** SQLite's extended code by name, or Node's error code; '' when there is none. */
export function codeOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string')
    return error.code;
  return '';
}
