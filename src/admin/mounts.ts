import type { HttpHandler } from '../wire/http.ts';

/**
 * Other rooms' pages on the same port, by the first part of their path: `{ resources: … }` answers /resources and all
 * below. Everything else goes to `otherwise`. Mounted pages bring their own headers, none for CORS.
 */
export function mounted(pages: Readonly<Record<string, HttpHandler>>, otherwise: HttpHandler): HttpHandler {
  const byName = new Map(Object.entries(pages));
  return (request) => (byName.get(request.path.split('/')[1] ?? '') ?? otherwise)(request);
}
