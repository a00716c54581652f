import { readFileSync } from 'node:fs';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { type RequestOptions, request as tlsRequest } from 'node:https';
import { Failure } from '../base/failure.ts';
import { flag, type OptionValues, option, text } from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';

const GROUP = 'How it is asked';

/** How a running kedge's pages are reached, for every command that asks them; etcdctl's names. */
export const KEDGE_HTTP_OPTIONS = {
  user: option(text('name:password'), {
    flag: 'user',
    default: '',
    defaultText: 'none',
    group: GROUP,
    help: 'where users are on: one that may see this',
  }),
  token: option(text('token'), {
    flag: 'token',
    default: '',
    defaultText: 'none',
    group: GROUP,
    help: 'instead of --user: a token that /v3/auth/authenticate gave, or a JWT',
  }),
  cacert: option(text('file'), {
    flag: 'cacert',
    default: '',
    defaultText: "the system's",
    group: GROUP,
    help: "authorities that sign the server's certificate, for https://",
  }),
  cert: option(text('file'), { flag: 'cert', default: '', defaultText: 'none', group: GROUP, help: 'our certificate' }),
  key: option(text('file'), { flag: 'key', default: '', defaultText: 'none', group: GROUP, help: 'its key' }),
  insecureSkipTlsVerify: option(flag, {
    flag: 'insecure-skip-tls-verify',
    default: false,
    group: GROUP,
    help: "take any server's certificate",
  }),
} as const;

const ANSWER_MS_MAX = 30_000;
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

export interface KedgeAnswer {
  readonly status: number;
  readonly body: string;
}

/** Asks running kedges for their pages: over TLS, as a user, whatever the options say. */
export class KedgeHttp {
  readonly #options: OptionValues<typeof KEDGE_HTTP_OPTIONS>;
  readonly #tls: RequestOptions;
  /** By endpoint: simple tokens are each member's own. */
  readonly #tokens = new Map<string, string>();

  /** Throws UsageError or Failure when a file cannot be read. */
  constructor(options: OptionValues<typeof KEDGE_HTTP_OPTIONS>) {
    this.#options = options;
    this.#tls = {
      ...fileOption('ca', options.cacert),
      ...fileOption('cert', options.cert),
      ...fileOption('key', options.key),
      rejectUnauthorized: !options.insecureSkipTlsVerify,
    };
  }

  /** Rejects with a Failure that says why nothing came. */
  async ask(endpoint: string, method: 'GET' | 'POST', path: string): Promise<KedgeAnswer> {
    const token = await this.#tokenFor(endpoint);
    const answer = await this.#send(endpoint, method, path, token === undefined ? {} : { authorization: token });
    if (answer.status !== 401 && answer.status !== 403) return answer;
    throw new Failure(`${endpoint}: ${reasonIn(answer)} (--user name:password, --token, or a certificate)`);
  }

  async #tokenFor(endpoint: string): Promise<string | undefined> {
    const { user, token: given } = this.#options;
    if (given !== '') return given;
    if (user === '') return undefined;
    const known = this.#tokens.get(endpoint);
    if (known !== undefined) return known;
    const colon = user.indexOf(':');
    if (colon <= 0) throw new UsageError('--user: name:password is expected');
    const login = JSON.stringify({ name: user.slice(0, colon), password: user.slice(colon + 1) });
    const { status, body } = await this.#send(endpoint, 'POST', '/v3/auth/authenticate', {}, login);
    const { token, message } = JSON.parse(body) as { readonly token?: string; readonly message?: string };
    if (status !== 200 || token === undefined) throw new Failure(`${endpoint}: ${message ?? `status ${status}`}`);
    this.#tokens.set(endpoint, token);
    return token;
  }

  #send(
    endpoint: string,
    method: 'GET' | 'POST',
    path: string,
    headers: Readonly<Record<string, string>>,
    body?: string,
  ): Promise<KedgeAnswer> {
    const url = new URL(path, endpoint);
    const options = { method, headers, timeout: ANSWER_MS_MAX };
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void =>
        reject(new Failure(`no kedge answers at ${endpoint}: ${error.message || String(error)}`, { cause: error }));
      const asked =
        url.protocol === 'https:' ? tlsRequest(url, { ...options, ...this.#tls }) : plainRequest(url, options);
      asked.once('response', (response) => void read(response).then(resolve, fail));
      asked.once('timeout', () => asked.destroy(new Error(`nothing came within ${ANSWER_MS_MAX / 1000} s`)));
      asked.once('error', fail);
      asked.end(body);
    });
  }
}

async function read(response: IncomingMessage): Promise<KedgeAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`the answer is longer than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() };
}

function reasonIn({ status, body }: KedgeAnswer): string {
  try {
    const { error } = JSON.parse(body) as { readonly error?: unknown };
    if (typeof error === 'string') return error;
  } catch {
    // Some other server's page: its status has to do.
  }
  return `status ${status}`;
}

function fileOption(name: 'ca' | 'cert' | 'key', path: string): RequestOptions {
  if (path === '') return {};
  try {
    return { [name]: readFileSync(path) };
  } catch (error) {
    throw new Failure(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** `10.0.0.1:2379` is as good as `http://10.0.0.1:2379`. Throws UsageError. */
export function endpointUrl(written: string, where: string): string {
  const url = written.includes('://') ? written : `http://${written}`;
  if (!URL.canParse(url)) throw new UsageError(`${where}: "${written}" is not a URL such as http://127.0.0.1:2379`);
  return url;
}
