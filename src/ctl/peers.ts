import type { Clock } from '../base/clock.ts';
import { type Command, ExitCode, type Invocation } from '../base/command.ts';
import { Failure } from '../base/failure.ts';
import { flag, option, text } from '../base/options.ts';
import type { PeersReport } from '../peers/report.ts';
import { formatReport } from '../peers/report-table.ts';
import { endpointUrl, KEDGE_HTTP_OPTIONS, KedgeHttp } from './kedge-http.ts';

const OPTIONS = {
  endpoint: option(text('url'), {
    flag: 'endpoint',
    default: 'http://127.0.0.1:2379',
    group: 'Asking',
    help: 'a client URL of the kedge to ask',
  }),
  json: option(flag, {
    flag: 'json',
    default: false,
    group: 'Asking',
    help: 'everything that is known, as JSON',
  }),
  ...KEDGE_HTTP_OPTIONS,
};

/** `kedge peers`: asks a running kedge whom it sees. */
export function peersCommand(print: (line: string) => void, clock: Clock): Command<typeof OPTIONS> {
  return {
    name: 'peers',
    summary: "show a running kedge's members: who is linked, who is not and why, who does what",
    operands: [],
    options: OPTIONS,
    details: `Examples:
  kedge peers
  kedge peers --endpoint http://127.0.0.1:12379 --json`,
    run: (invocation) => showPeers(invocation, print, clock),
  };
}

async function showPeers(
  { options }: Invocation<typeof OPTIONS>,
  print: (line: string) => void,
  clock: Clock,
): Promise<number> {
  const report = await ask(new KedgeHttp(options), endpointUrl(options.endpoint, '--endpoint'));
  print(options.json ? JSON.stringify(report, null, 2) : formatReport(report, clock.wallMs()));
  return ExitCode.ok;
}

async function ask(http: KedgeHttp, endpoint: string): Promise<PeersReport> {
  const { status, body } = await http.ask(endpoint, 'GET', '/peers');
  if (status === 404)
    throw new Failure(`${endpoint} has no peers: it runs without --peer-listen, --peer-dns and --peer`);
  if (status >= 300) throw new Failure(`${endpoint} answers ${status}: ${body.trim()}`);
  return JSON.parse(body) as PeersReport;
}
