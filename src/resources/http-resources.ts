import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import { UsageError } from '../base/usage-error.ts';
import { cpuFlagsAnswerShape, type ResourcesApi, resourcesAnswerShape } from './answers.ts';
import { RESOURCE_LIMITS } from './limits.ts';
import { plainText } from './plain-text.ts';
import { type Reader, readJson, ShapeError } from './shape.ts';

/** Asks a running kedge, which knows its members. `endpoint` is its client URL: `http://127.0.0.1:2379`. */
export function httpResources(endpoint: string, clock: Clock): ResourcesApi {
  const base = parseEndpoint(endpoint);
  return {
    resources: ({ member, refresh }) =>
      ask(
        base,
        '/resources',
        { ...(member === undefined ? {} : { member }), refresh: `${refresh}` },
        resourcesAnswerShape,
        clock,
      ),
    cpuFlags: ({ refresh }) => ask(base, '/resources/cpu-flags', { refresh: `${refresh}` }, cpuFlagsAnswerShape, clock),
  };
}

function parseEndpoint(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new UsageError(`--endpoint: "${endpoint}" is not a URL such as http://127.0.0.1:2379`);
  }
  return url;
}

async function ask<T>(
  base: URL,
  path: string,
  query: Readonly<Record<string, string>>,
  shape: Reader<T>,
  clock: Clock,
): Promise<T> {
  const url = new URL(`${path}?${new URLSearchParams(query)}`, base);
  const controller = new AbortController();
  const timer = clock.after(RESOURCE_LIMITS.httpTimeoutMs, () => controller.abort());
  try {
    const response = await fetch(url, { signal: controller.signal, redirect: 'error' });
    const body = await readBody(response);
    if (response.ok) return readJson(shape, body, 'the answer');
    const reason = plainText(errorIn(body)) ?? response.statusText;
    throw new Failure(
      response.status === 404 && !body.startsWith('{') ? `${base.origin} is no kedge that has resources` : reason,
    );
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (error instanceof ShapeError) {
      throw new Failure(
        `${base.origin} answered what this kedge does not understand (${error.message}): are both of one version?`,
      );
    }
    const why = controller.signal.aborted
      ? `no answer within ${RESOURCE_LIMITS.httpTimeoutMs / 1000} s`
      : causeOf(error);
    throw new Failure(`cannot ask ${base.origin}: ${why}`, { cause: error });
  } finally {
    timer.cancel();
  }
}

async function readBody(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > RESOURCE_LIMITS.httpAnswerBytesMax) throw new ShapeError('longer than an answer may be');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function errorIn(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null && 'error' in parsed ? String(parsed.error) : body;
  } catch (_notJson) {
    return body; // Some other server's page: its text has to do.
  }
}

/** fetch says "fetch failed" and keeps the reason behind it. */
function causeOf(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error && cause.message !== '' ? cause.message : message;
}
