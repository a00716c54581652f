import type { Connection } from './connection.ts';
import type { HttpHead } from './http.ts';
import type { RequestHead } from './request-head.ts';

/** The head of a plain HTTP request that came over HTTP/2. */
export function httpHeadOf(
  { method, path, authority, metadata }: RequestHead,
  connection: Connection,
  signal: AbortSignal,
): HttpHead {
  const { peer, commonName, encrypted } = connection;
  return {
    method,
    ...pathAndQuery(path),
    authority: authority === '' ? metadata.get('host') : authority,
    headers: metadata,
    peer,
    commonName,
    encrypted,
    signal,
  };
}

/** A request's target, taken apart. */
export function pathAndQuery(target: string): Pick<HttpHead, 'path' | 'query'> {
  const mark = target.indexOf('?');
  if (mark < 0) return { path: target, query: new URLSearchParams() };
  return { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) };
}
