import { InvariantError } from '../base/invariant.ts';
import { LogError } from './log.ts';
import { StoreError } from './requests.ts';

/** The one place where a LogError becomes a StoreError. What is neither is a defect and thrown on. */
export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (!(error instanceof LogError)) {
    throw error instanceof Error ? error : new InvariantError(`thrown by the log: ${String(error)}`);
  }
  switch (error.code) {
    case 'unavailable':
    case 'ambiguous':
    case 'corrupt':
      return new StoreError(error.code, error.message, { cause: error });
    case 'refused':
      return new StoreError('unavailable', error.message, { cause: error });
    case 'closed':
      return new StoreError('stopped', error.message, { cause: error });
  }
}

/** For `catch`: throws the error on as a StoreError. */
export function rethrow(error: unknown): never {
  throw toStoreError(error);
}
