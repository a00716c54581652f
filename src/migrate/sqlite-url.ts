import { pathToFileURL } from 'node:url';

/** The URL of a store in this file, whatever characters its path has. */
export function sqliteUrl(path: string): string {
  return `sqlite://${pathToFileURL(path).pathname}`;
}
