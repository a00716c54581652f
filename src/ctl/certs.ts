import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { type Command, ExitCode, type Invocation } from '../base/command.ts';
import { Failure } from '../base/failure.ts';
import { integer, list, option, text } from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';
import {
  type Authority,
  type Issued,
  makeAuthority,
  makeClient,
  makeServer,
  type Validity,
} from '../server/certificates.ts';

const GROUP = 'Certificates';

const OPTIONS = {
  dir: option(text('path'), {
    flag: 'dir',
    default: 'kedge-certs',
    group: GROUP,
    help: 'the folder for them; made when missing',
  }),
  hosts: option(list(text('host')), {
    flag: 'hosts',
    default: [],
    defaultText: "localhost and this machine's name",
    group: GROUP,
    help: 'names and addresses under which clients reach the server',
  }),
  clients: option(list(text('name')), {
    flag: 'clients',
    default: ['root'],
    group: GROUP,
    help: 'a client certificate for each; the name is the user that it stands for',
  }),
  days: option(integer(1, 36_500), {
    flag: 'days',
    default: 365,
    group: GROUP,
    help: 'how long server and client certificates are good; the authority for ten times as long',
  }),
};

const DAY_MS = 24 * 3_600_000;

/** `kedge certs`: a small authority with certificates for a server and clients. Files that are there stay as they are. */
export function certsCommand(clock: Clock, print: (line: string) => void): Command<typeof OPTIONS> {
  return {
    name: 'certs',
    summary: 'make certificates for TLS: an authority, a server, clients',
    operands: [],
    options: OPTIONS,
    details: `What is there already is not touched: call it again with another --clients to add one, signed by the same
authority; remove a file to have it made anew. Keep ca.key away from the server: who has it can make certificates.

Examples:
  kedge certs --hosts kedge.example,10.0.0.7
  kedge certs --clients alice,backup`,
    run: (invocation) => makeCertificates(invocation, clock, print),
  };
}

async function makeCertificates(
  { options }: Invocation<typeof OPTIONS>,
  clock: Clock,
  print: (line: string) => void,
): Promise<number> {
  const { dir, clients, days } = options;
  const hosts = options.hosts.length > 0 ? options.hosts : [...new Set(['localhost', hostname(), '127.0.0.1', '::1'])];
  for (const client of clients) {
    if (!/^[\w.@-]+$/.test(client) || client.startsWith('.') || client === 'ca' || client === 'server') {
      throw new UsageError(
        `--clients: "${client}" is no name for a file: letters, digits and . _ @ - only; not "ca" or "server"`,
      );
    }
  }
  // An hour ago: clocks differ.
  const fromMs = clock.wallMs() - 3_600_000;
  const validity: Validity = { fromMs, untilMs: fromMs + days * DAY_MS };
  await mkdir(dir, { recursive: true, mode: 0o700 });

  const folder = new Folder(dir, print);
  const authority = await folder.pair('ca', () =>
    makeAuthority('kedge CA', { fromMs, untilMs: fromMs + 10 * days * DAY_MS }),
  );
  await checkAuthority(authority, join(dir, 'ca.key'));
  await folder.pair('server', () => makeServer(authority, hosts, validity));
  for (const client of clients) await folder.pair(client, () => makeClient(authority, client, validity));

  const at = (file: string): string => shellWord(join(dir, file));
  const client = clients[0] ?? 'root';
  print(`
serve:
  kedge serve --listen-client-urls https://0.0.0.0:2379 --advertise-client-urls https://${urlHost(hosts[0] ?? 'localhost')}:2379 \\
    --cert-file ${at('server.crt')} --key-file ${at('server.key')} \\
    --client-cert-auth --trusted-ca-file ${at('ca.crt')}

use it:
  etcdctl --endpoints https://${urlHost(hosts[0] ?? 'localhost')}:2379 --cacert ${at('ca.crt')} \\
    --cert ${at(`${client}.crt`)} --key ${at(`${client}.key`)} endpoint health`);
  return ExitCode.ok;
}

/** Somebody else's authority may have a key of a kind that is not signed with here. */
async function checkAuthority(authority: Authority, keyPath: string): Promise<void> {
  try {
    await makeClient(authority, 'check', { fromMs: 0, untilMs: 1 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure(`${keyPath} cannot sign: "kedge certs" takes keys of the curve P-256 in PKCS #8 (${reason})`, {
      cause: error,
    });
  }
}

/** Pairs of certificate and key. What is there is kept; a key is readable for its owner alone. */
class Folder {
  readonly #path: string;
  readonly #print: (line: string) => void;

  constructor(path: string, print: (line: string) => void) {
    this.#path = path;
    this.#print = print;
  }

  /** The pair of that name, made if neither file of it is there. */
  async pair(name: string, make: () => Promise<Issued>): Promise<Authority> {
    const paths = { certificate: join(this.#path, `${name}.crt`), key: join(this.#path, `${name}.key`) };
    const [certificate, key] = await Promise.all([readIfThere(paths.certificate), readIfThere(paths.key)]);
    if (certificate !== undefined && key !== undefined) {
      this.#print(`kept  ${paths.certificate}, ${paths.key}`);
      return { certificate, key };
    }
    if (certificate !== undefined || key !== undefined) {
      const [there, missing] =
        certificate === undefined ? [paths.key, paths.certificate] : [paths.certificate, paths.key];
      throw new Failure(`${there} is there and ${missing} is not: bring that back, or move the first away`);
    }
    const made = await make();
    // Whoever was quicker keeps what he has.
    await writeFile(paths.key, made.key, { mode: 0o600, flag: 'wx' });
    await writeFile(paths.certificate, made.certificate, { flag: 'wx' });
    this.#print(`made  ${paths.certificate}, ${paths.key}`);
    return made;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Failure((error as Error).message, { cause: error });
  }
}

function shellWord(path: string): string {
  return /^[\w./@-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
