import type { Clock } from '../base/clock.ts';
import { type Command, ExitCode, type Invocation } from '../base/command.ts';
import { Failure } from '../base/failure.ts';
import { flag, option, text } from '../base/options.ts';
import type { PeersReport } from '../peers/report.ts';
import { formatReport } from '../peers/report-table.ts';

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
};

const ANSWER_MS_MAX = 5000;

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
  const report = await ask(options.endpoint);
  print(options.json ? JSON.stringify(report, null, 2) : formatReport(report, clock.wallMs()));
  return ExitCode.ok;
}

async function ask(endpoint: string): Promise<PeersReport> {
  const base = endpoint.includes('://') ? endpoint : `http://${endpoint}`;
  let response: Response;
  try {
    response = await fetch(new URL('/peers', base), { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
  } catch (error) {
    const { cause, message } = error as Error;
    const reason = cause instanceof Error && cause.message !== '' ? cause.message : message;
    throw new Failure(`no kedge answers at ${base}: ${reason}; --endpoint names another`, { cause: error });
  }
  if (response.status === 404) {
    throw new Failure(`${base} has no peers: it runs without --peer-listen, --peer-dns and --peer`);
  }
  if (!response.ok) throw new Failure(`${base} answers ${response.status}: ${(await response.text()).trim()}`);
  return (await response.json()) as PeersReport;
}
