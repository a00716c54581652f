import type { Random } from '../base/chance.ts';
import type { Clock } from '../base/clock.ts';
import { type Command, ExitCode } from '../base/command.ts';
import { silentLogger } from '../base/logger.ts';
import { flag, type OptionValues, option, text } from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';
import type { ResourcesApi } from '../resources/answers.ts';
import { memoryCache } from '../resources/facts-cache.ts';
import { httpResources } from '../resources/http-resources.ts';
import { openLocalSource } from '../resources/local-source.ts';
import { NoSuchMember, Resources } from '../resources/resources.ts';
import { RESOURCES_ROOT } from '../resources/resources-root.ts';
import { showCpuFlags } from '../resources/show-cpu-flags.ts';
import { showResources } from '../resources/show-resources.ts';
import { endpointUrl, KEDGE_HTTP_OPTIONS, KedgeHttp } from './kedge-http.ts';

const OPTIONS = {
  endpoint: option(text('url'), {
    flag: 'endpoint',
    default: '',
    defaultText: 'none: this machine alone, read directly',
    group: 'Whom to ask',
    help: 'client URL of a running kedge, which knows all members',
  }),
  resourcesRoot: RESOURCES_ROOT,
  refresh: option(flag, {
    flag: 'refresh',
    default: false,
    group: 'Whom to ask',
    help: 'ask anew, also who was asked within the last day',
  }),
  json: option(flag, { flag: 'json', default: false, group: 'Output', help: 'one JSON document' }),
  yaml: option(flag, { flag: 'yaml', default: false, group: 'Output', help: 'the same as YAML' }),
  ...KEDGE_HTTP_OPTIONS,
};

export interface ResourcesCommandContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly print: (line: string) => void;
  /** Of the terminal; undefined: not one. */
  readonly columns: () => number | undefined;
}

/** `kedge resources [MEMBER]` and `kedge resources cpu-flags`, in the order the command line needs them. */
export function resourcesCommands(context: ResourcesCommandContext): readonly Command<typeof OPTIONS>[] {
  return [
    {
      name: 'resources',
      summary: 'show what the machines of members have: CPU, memory, disks, cards',
      operands: [
        { name: 'member', help: 'its name, its id, or how the id begins; all when left out', required: false },
      ],
      options: OPTIONS,
      details: `Examples:
  kedge resources                                       this machine
  kedge resources --endpoint http://127.0.0.1:2379      all members that this kedge knows
  kedge resources --endpoint https://db-1:2379 --cacert ca.crt --user alice:…
  kedge resources --json | jq '.members[].facts.cpu.model'`,
      async run({ options, operands }) {
        const api = await apiFor(options, context);
        const answer = await api
          .resources({ member: operands[0], refresh: options.refresh })
          .catch((error: unknown) => {
            if (!(error instanceof NoSuchMember) || options.endpoint !== '') throw error;
            throw new UsageError(
              `"${operands[0]}" is not this machine; a running kedge knows the others: --endpoint <url>`,
            );
          });
        await printAnswer(answer, options, context, (columns) =>
          answer.members.flatMap((member, i) => [...(i === 0 ? [] : ['']), ...showResources(member, columns)]),
        );
        return answer.members.some(({ state }) => state === 'missing') ? ExitCode.failed : ExitCode.ok;
      },
    },
    {
      name: 'resources cpu-flags',
      summary: 'show the CPU flags that all members have, which a guest can use anywhere',
      operands: [],
      options: OPTIONS,
      details: `Ends with exit code 1 when a member could not be counted: what is shown may then be too good.`,
      async run({ options }) {
        const api = await apiFor(options, context);
        const answer = await api.cpuFlags({ refresh: options.refresh });
        await printAnswer(answer, options, context, (columns) => showCpuFlags(answer, columns));
        return answer.isComplete ? ExitCode.ok : ExitCode.failed;
      },
    },
  ];
}

async function apiFor(options: OptionValues<typeof OPTIONS>, context: ResourcesCommandContext): Promise<ResourcesApi> {
  if (options.json && options.yaml) throw new UsageError('--json and --yaml: only one of them');
  // The root stays what it is for this machine: an image may have set it for all that runs there.
  if (options.endpoint !== '') {
    const [http, url] = [new KedgeHttp(options), endpointUrl(options.endpoint, '--endpoint')];
    return httpResources(url, (path) => http.ask(url, 'GET', path));
  }
  // A program that ends after its answer has nothing to keep: reading takes less than a cache's worth.
  const local = await openLocalSource({ memberId: 'local', root: options.resourcesRoot });
  return new Resources({
    sources: () => [local],
    cache: memoryCache(),
    clock: context.clock,
    random: context.random,
    logger: silentLogger,
  });
}

async function printAnswer(
  answer: object,
  options: OptionValues<typeof OPTIONS>,
  { print, columns }: ResourcesCommandContext,
  lines: (columns: number) => readonly string[],
): Promise<void> {
  if (options.json) print(JSON.stringify(answer, undefined, 2));
  else if (options.yaml) {
    // Undefined fields are left out, as JSON does.
    const { stringify } = await import('yaml');
    print(stringify(JSON.parse(JSON.stringify(answer))).trimEnd());
  } else for (const line of lines(Math.max(columns() ?? COLUMNS_DEFAULT, COLUMNS_MIN))) print(line);
}

const COLUMNS_DEFAULT = 120;
const COLUMNS_MIN = 60;
