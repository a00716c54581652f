import type { HttpHandler, HttpRequest, HttpResponse } from '../wire/http.ts';
import { EXPOSITION_CONTENT_TYPE } from './exposition.ts';
import type { Health } from './health.ts';
import { json, methodNotAllowed, notFound } from './http-answers.ts';
import type { Metrics } from './metrics.ts';

/**
 * What a browser, a probe or Prometheus asks on the client port, answered as etcd answers it:
 *
 *     /health  /livez[/check]  /readyz[/check]  /version  /metrics
 */
export interface AdminOptions {
  readonly health: Health;
  readonly metrics: Metrics;
  /** etcd's version whose behaviour we show, and the cluster's (major.minor.0). */
  readonly etcdVersion: string;
  readonly clusterVersion: string;
}

export function adminHandler(options: AdminOptions): HttpHandler {
  return (request) => route(request, options);
}

async function route(request: HttpRequest, options: AdminOptions): Promise<HttpResponse> {
  const [, first, second, ...rest] = request.path.split('/');
  if (rest.length > 0) return notFound();
  if (first === 'livez' || first === 'readyz') {
    if (request.method !== 'GET') return methodNotAllowed();
    return await options.health.checks(first, second, request);
  }
  if (second !== undefined) return notFound();
  switch (first) {
    case 'health':
      return request.method === 'GET' ? await options.health.health(request) : methodNotAllowed();
    case 'version':
      if (request.method !== 'GET') return methodNotAllowed();
      return json(JSON.stringify({ etcdserver: options.etcdVersion, etcdcluster: options.clusterVersion }));
    case 'metrics':
      return {
        status: 200,
        headers: { 'content-type': EXPOSITION_CONTENT_TYPE },
        body: await options.metrics.text(),
      };
    default:
      return notFound();
  }
}
