import { Agent, request } from 'node:https';

/** A Kubernetes object, as far as the story looks at it. */
export interface KubeObject {
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec?: { readonly nodeName?: string; readonly replicas?: number };
  readonly data?: Readonly<Record<string, string>>;
}

export interface KubeList {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly KubeObject[];
}

interface KubeEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: KubeObject & { readonly code?: number };
}

/** status 0: no answer. */
export interface KubeAnswer {
  readonly status: number;
  readonly text: string;
}

/** One kube-apiserver on this machine, asked as its administrator. */
export class KubeApi {
  readonly port: number;
  readonly #token: string;
  readonly #agent = new Agent({ keepAlive: true, rejectUnauthorized: false });

  constructor(port: number, token: string) {
    this.port = port;
    this.#token = token;
  }

  /** Never rejects. */
  ask(method: string, path: string, body?: unknown, timeoutMs = 15_000): Promise<KubeAnswer> {
    return new Promise((resolve) => {
      const asked = request(this.#to(method, path), (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
        answer.on('error', (error) => resolve({ status: 0, text: error.message }));
      });
      asked.setTimeout(timeoutMs, () => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)));
      asked.on('error', (error) => resolve({ status: 0, text: error.message }));
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Asks until it is answered well. */
  async get<T>(path: string): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      const { status, text } = await this.ask('GET', path);
      if (status === 200) return JSON.parse(text) as T;
      if (attempt > 240) throw new Error(`GET ${path}: ${status} ${text}`);
      await new Promise((wait) => setTimeout(wait, 500));
    }
  }

  /** Resolves when the stream ends, for whatever reason. */
  watch(path: string, onEvent: (event: KubeEvent) => void, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const asked = request({ ...this.#to('GET', path), signal }, (answer) => {
        let rest = '';
        answer.on('data', (chunk: Buffer) => {
          const lines = (rest + chunk.toString()).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) if (line !== '') onEvent(JSON.parse(line) as KubeEvent);
        });
        answer.on('close', () => resolve());
      });
      asked.on('error', () => resolve());
      asked.end();
    });
  }

  #to(method: string, path: string) {
    return {
      host: '127.0.0.1',
      port: this.port,
      method,
      path,
      agent: this.#agent,
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
    };
  }
}

/** Lists and watches one kind of object for ever, as a controller's informer does. */
export class KubeInformer {
  /** Name → resource version. */
  readonly picture = new Map<string, string>();
  lists = 0;
  events = 0;
  readonly #api: KubeApi;
  readonly #path: string;
  readonly #stopping = new AbortController();
  #done: Promise<void> = Promise.resolve();

  constructor(api: KubeApi, path: string) {
    this.#api = api;
    this.#path = path;
  }

  start(): this {
    this.#done = this.#run();
    return this;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    let revision = '';
    while (!this.#stopping.signal.aborted) {
      if (revision === '') revision = await this.#list();
      const path = `${this.#path}?watch=1&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion=${revision}`;
      await this.#api.watch(
        path,
        ({ type, object }) => {
          if (type === 'ERROR') {
            // 410: too old. As a reflector does, list anew.
            revision = '';
            return;
          }
          revision = object.metadata.resourceVersion ?? revision;
          if (type === 'BOOKMARK') return;
          this.events += 1;
          if (type === 'DELETED') this.picture.delete(object.metadata.name);
          else this.picture.set(object.metadata.name, revision);
        },
        this.#stopping.signal,
      );
      if (!this.#stopping.signal.aborted) await new Promise((wait) => setTimeout(wait, 250));
    }
  }

  async #list(): Promise<string> {
    this.lists += 1;
    const list = await this.#api.get<KubeList>(this.#path);
    this.picture.clear();
    for (const { metadata } of list.items) this.picture.set(metadata.name, metadata.resourceVersion ?? '');
    return list.metadata.resourceVersion;
  }
}
