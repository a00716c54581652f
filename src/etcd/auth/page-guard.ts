import { Status, StatusError } from '../../wire/grpc.ts';
import type { HttpHandler, HttpResponse } from '../../wire/http.ts';
import type { Access } from './access.ts';

/** Page → the role that opens it, beside `root`. A role is enough of a permission: these pages have no keys. */
const ROLES: Readonly<Record<string, string>> = { resources: 'resources:read' };

/**
 * The same pages, while auth is on only for those who have the role root, or the page's own one: by a token in
 * `Authorization: Bearer …`, or a certificate.
 */
export function guardedPages(pages: Pages, access: Access): Pages {
  return Object.fromEntries(Object.entries(pages).map(([name, page]) => [name, guarded(page, ROLES[name], access)]));
}

type Pages = Readonly<Record<string, HttpHandler>>;

function guarded(page: HttpHandler, role: string | undefined, access: Access): HttpHandler {
  return async (request) => {
    if (!access.enabled) return page(request);
    try {
      access.role({ metadata: request.headers, commonName: request.commonName }, role);
    } catch (error) {
      if (error instanceof StatusError) return refused(error, role);
      throw error;
    }
    return page(request);
  };
}

function refused({ code, message }: StatusError, role: string | undefined): HttpResponse {
  const isForbidden = code === Status.permissionDenied;
  const roles = role === undefined ? 'root' : `root or ${role}`;
  return {
    status: isForbidden ? 403 : 401,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      ...(isForbidden ? {} : { 'www-authenticate': 'Bearer' }),
    },
    body: `${JSON.stringify({ error: `${message}; auth is on and this page is for who has the role ${roles}` })}\n`,
  };
}
