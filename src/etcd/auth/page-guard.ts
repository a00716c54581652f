import { Status, StatusError } from '../../wire/grpc.ts';
import type { HttpHandler, HttpResponse } from '../../wire/http.ts';
import type { Access } from './access.ts';

/** The same pages, open to root alone while auth is on: by a token in `Authorization: Bearer …`, or a certificate. */
export function rootOnly(pages: Pages, access: Access): Pages {
  return Object.fromEntries(Object.entries(pages).map(([name, page]) => [name, guarded(page, access)]));
}

type Pages = Readonly<Record<string, HttpHandler>>;

function guarded(page: HttpHandler, access: Access): HttpHandler {
  return async (request) => {
    if (!access.enabled) return page(request);
    try {
      access.admin({ metadata: request.headers, commonName: request.commonName });
    } catch (error) {
      if (error instanceof StatusError) return refused(error);
      throw error;
    }
    return page(request);
  };
}

function refused({ code, message }: StatusError): HttpResponse {
  const isForbidden = code === Status.permissionDenied;
  return {
    status: isForbidden ? 403 : 401,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      ...(isForbidden ? {} : { 'www-authenticate': 'Bearer' }),
    },
    body: `${JSON.stringify({ error: `${message}; auth is on and this page is root's` })}\n`,
  };
}
