import type { ResourcesApi } from './answers.ts';
import { NoSuchMember } from './resources.ts';

/** As the wire hands it over; only what is looked at. */
export interface ResourcesHttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

export interface ResourcesHttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * GET /resources[?member=…][&refresh=true]   ResourcesAnswer
 * GET /resources/cpu-flags[?refresh=true]    CpuFlagsAnswer
 *
 * Whoever mounts it lets through whom the rest of that port lets through. No CORS headers: serial numbers and addresses
 * are nothing for a page that somebody on the machine happens to look at.
 */
export function resourcesHandler(api: ResourcesApi): (request: ResourcesHttpRequest) => Promise<ResourcesHttpResponse> {
  return async ({ method, path, query }) => {
    if (path !== '/resources' && path !== '/resources/cpu-flags') return answer(404, { error: 'no such page' });
    if (method !== 'GET') return { ...answer(405, { error: 'only GET' }), headers: { ...HEADERS, allow: 'GET' } };
    const refresh = ['true', '1', ''].includes(query.get('refresh') ?? 'false');
    if (path === '/resources/cpu-flags') return answer(200, await api.cpuFlags({ refresh }));
    try {
      return answer(200, await api.resources({ member: query.get('member') ?? undefined, refresh }));
    } catch (error) {
      if (error instanceof NoSuchMember) return answer(404, { error: error.message });
      throw error;
    }
  };
}

const HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
};

function answer(status: number, body: object): ResourcesHttpResponse {
  return { status, headers: HEADERS, body: `${JSON.stringify(body)}\n` };
}
