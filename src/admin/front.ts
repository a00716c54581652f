import type { HttpHandler, HttpHead, HttpRequest, HttpResponse, HttpStream, HttpStreams } from '../wire/http.ts';
import { mounted } from './mounts.ts';

/** Who answers under some paths, whole requests and streams. */
export interface FrontGateway {
  owns(path: string): boolean;
  answer(request: HttpRequest): Promise<HttpResponse>;
  stream: HttpStreams;
}

export interface FrontOptions {
  readonly admin: HttpHandler;
  /** Other rooms' pages by the first part of their path. No other site's page may read them, whatever `cors` says. */
  readonly pages?: Readonly<Record<string, HttpHandler>>;
  /** undefined: where only probes are answered. */
  readonly gateway: FrontGateway | undefined;
  /** Origins whose pages may ask; `*`: any. */
  readonly cors: readonly string[];
  /** Names under which plain-text clients may address this server; `*`: any. */
  readonly hostWhitelist: readonly string[];
}

export interface Front {
  readonly http: HttpHandler;
  readonly httpStreams: HttpStreams;
}

/**
 * What every plain HTTP request passes, whoever answers it: is it addressed to us (DNS rebinding, CVE-2018-5702), and
 * whose pages may read the answer (CORS). Source: etcd's accessController, server/embed/serve.go.
 */
export function front({ admin, pages = {}, gateway, cors, hostWhitelist }: FrontOptions): Front {
  const isOurs = (head: HttpHead): boolean => {
    if (head.encrypted || hostWhitelist.length === 0 || hostWhitelist.includes('*')) return true;
    const host = hostOf(head);
    return host === 'localhost' || host === '127.0.0.1' || hostWhitelist.includes(host);
  };
  const answer = mounted(pages, async (request) => {
    const headers = corsHeaders(request, cors);
    if (request.method === 'OPTIONS') return { status: 200, headers, body: '' };
    const answered = await (gateway?.owns(request.path) === true ? gateway.answer(request) : admin(request));
    return { ...answered, headers: { ...headers, ...answered.headers } };
  });
  return {
    http: async (request) => (isOurs(request) ? await answer(request) : unknownHost(hostOf(request))),
    httpStreams(head) {
      if (gateway?.owns(head.path) !== true || !isOurs(head)) return undefined;
      const opener = gateway.stream(head);
      if (opener === undefined) return undefined;
      const headers = corsHeaders(head, cors);
      return (stream) => opener(withHeaders(stream, headers));
    },
  };
}

function withHeaders(stream: HttpStream, more: Readonly<Record<string, string>>): HttpStream {
  return {
    begin: (status, headers) => stream.begin(status, { ...more, ...headers }),
    write: (bytes) => stream.write(bytes),
    end: () => stream.end(),
  };
}

function corsHeaders({ headers }: HttpHead, cors: readonly string[]): Readonly<Record<string, string>> {
  const origin = headers.get('origin') ?? '';
  const allowed = cors.length === 0 || cors.includes('*') ? '*' : cors.includes(origin) ? origin : undefined;
  if (allowed === undefined) return {};
  return {
    'access-control-allow-headers': 'accept, content-type, authorization',
    'access-control-allow-methods': 'POST, GET, OPTIONS, PUT, DELETE',
    'access-control-allow-origin': allowed,
    // An answer for one origin is not to be taken from a cache for another.
    ...(allowed === '*' ? {} : { vary: 'Origin' }),
  };
}

/** The name that the client addressed, without its port. */
function hostOf({ authority }: HttpHead): string {
  const host = (authority ?? '').toLowerCase();
  return host.startsWith('[') ? host.slice(1, host.indexOf(']')) : (host.split(':')[0] ?? '');
}

function unknownHost(host: string): HttpResponse {
  const body = `kedge received your request, but the Host header "${host}" is not in --host-whitelist.
Add it there, or use TLS, where the certificate says who the server is.
`;
  return { status: 421, headers: { 'content-type': 'text/plain; charset=utf-8' }, body };
}
