import type { HttpResponse } from '../wire/http.ts';

/** A text as Go's net/http writes it with Error(): type and nosniff. The text brings its own newline. */
export function plainText(status: number, body: string): HttpResponse {
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
    body,
  };
}

export function notFound(): HttpResponse {
  return plainText(404, '404 page not found\n');
}

export function methodNotAllowed(): HttpResponse {
  const answer = plainText(405, 'Method Not Allowed\n');
  return { ...answer, headers: { ...answer.headers, allow: 'GET' } };
}

export function json(body: string): HttpResponse {
  return { status: 200, headers: { 'content-type': 'application/json' }, body };
}
