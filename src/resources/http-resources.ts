import { Failure } from '../base/failure.ts';
import { cpuFlagsAnswerShape, type ResourcesApi, resourcesAnswerShape } from './answers.ts';
import { plainText } from './plain-text.ts';
import { type Reader, readJson, ShapeError } from './shape.ts';

/** GETs a page of the kedge that is asked; rejects with a Failure when nothing comes, or too much. */
export type AskPage = (path: string) => Promise<{ readonly status: number; readonly body: string }>;

/** Asks a running kedge, which knows its members. `endpoint` is its client URL, for people. */
export function httpResources(endpoint: string, ask: AskPage): ResourcesApi {
  return {
    resources: ({ member, refresh }) =>
      read('/resources', { ...(member === undefined ? {} : { member }), refresh: `${refresh}` }, resourcesAnswerShape),
    cpuFlags: ({ refresh }) => read('/resources/cpu-flags', { refresh: `${refresh}` }, cpuFlagsAnswerShape),
  };

  async function read<T>(page: string, query: Readonly<Record<string, string>>, shape: Reader<T>): Promise<T> {
    const { status, body } = await ask(`${page}?${new URLSearchParams(query)}`);
    if (status !== 200) {
      const isOther = status === 404 && !body.startsWith('{');
      throw new Failure(isOther ? `${endpoint} is no kedge that has resources` : errorIn(body) || `status ${status}`);
    }
    try {
      return readJson(shape, body, 'the answer');
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      throw new Failure(
        `${endpoint} answered what this kedge does not understand (${error.message}): are both of one version?`,
      );
    }
  }
}

function errorIn(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    const error = typeof parsed === 'object' && parsed !== null && 'error' in parsed ? String(parsed.error) : body;
    return plainText(error) ?? '';
  } catch (_notJson) {
    return plainText(body) ?? ''; // Some other server's page: its text has to do.
  }
}
