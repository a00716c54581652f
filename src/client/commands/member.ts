import type { Command } from '../../base/command.ts';
import { flag, option, text } from '../../base/options.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import { ClusterMethod } from '../cluster-methods.ts';
import { badArguments } from '../exit-error.ts';
import { parseUint64 } from '../format/go-integer.ts';
import { goQuote } from '../format/go-quote.ts';
import type { ClientHost } from '../host.ts';
import {
  memberAddView,
  memberListView,
  memberPromoteView,
  memberRemoveView,
  memberUpdateView,
} from '../views/member-views.ts';

const PEER_URLS = {
  peerUrls: option(text('url,…'), {
    flag: 'peer-urls',
    default: '',
    defaultText: 'none',
    group: 'The member',
    fromEnvironment: false,
    help: 'where the other members reach it',
  }),
} as const;

const ADD_OPTIONS = {
  ...PEER_URLS,
  learner: option(flag, {
    flag: 'learner',
    default: false,
    group: 'The member',
    fromEnvironment: false,
    help: 'it learns what there is before it may vote',
  }),
} as const;

const MEMBER_ID = {
  name: 'memberID',
  help: 'its id in hexadecimal, as "kedge member list" prints it',
  required: true,
} as const;
const NOTE = 'Of clusters of etcd: a kedge refuses to have members added, as its own documentation says.';

/** `kedge member …`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'member list',
      summary: 'list the members of the cluster',
      operands: [],
      options: {},
      details: `Prints id, status, name, peer URLs, client URLs, and whether it is a learner.\n\nExample:\n  kedge member list -w table`,
      run: list,
    }),
    clientCommand(host, {
      name: 'member add',
      summary: 'add a member to the cluster',
      operands: [{ name: 'memberName', help: 'its name', required: true }],
      options: ADD_OPTIONS,
      details: `${NOTE}\n\nExample:\n  kedge member add third --peer-urls=http://10.0.0.3:2380`,
      run: add,
    }),
    clientCommand(host, {
      name: 'member remove',
      summary: 'remove a member from the cluster',
      operands: [MEMBER_ID],
      options: {},
      details: `${NOTE}\n\nExample:\n  kedge member remove 8e9e05c52164694d`,
      run: remove,
    }),
    clientCommand(host, {
      name: 'member update',
      summary: 'tell the cluster where a member is now',
      operands: [MEMBER_ID],
      options: PEER_URLS,
      details: `${NOTE}\n\nExample:\n  kedge member update 8e9e05c52164694d --peer-urls=http://10.0.0.4:2380`,
      run: update,
    }),
    clientCommand(host, {
      name: 'member promote',
      summary: 'let a learner vote',
      operands: [MEMBER_ID],
      options: {},
      details: `${NOTE}\n\nExample:\n  kedge member promote 8e9e05c52164694d`,
      run: promote,
    }),
  ];
}

async function list(call: ClientCall): Promise<void> {
  const connection = await call.connect();
  call.print(memberListView(await connection.call(ClusterMethod.memberList, { linearizable: true }), call.options.hex));
}

async function add(call: ClientCall<typeof ADD_OPTIONS>): Promise<void> {
  const { operands, options, host, format } = call;
  const [name] = operands;
  if (name === undefined) throw badArguments('member name not provided');
  if (operands.length > 1) {
    const urls = operands.filter((word) => word.toLowerCase().startsWith('http'));
    throw badArguments(`too many arguments${urls.map((url) => `, did you mean --peer-urls=${url}`).join('')}`);
  }
  const peerURLs = peerUrlsOf(options.peerUrls);
  const connection = await call.connect();
  const response = await connection.call(ClusterMethod.memberAdd, { peerURLs, isLearner: options.learner });
  call.print(memberAddView(response));
  if (format !== 'simple') return;
  const newId = response.member?.ID;
  const cluster = response.members.flatMap((member) =>
    (member.peerURLs ?? []).map((url) => `${member.ID === newId ? name : member.name}=${url}`),
  );
  host.out(`
ETCD_NAME=${goQuote(name)}
ETCD_INITIAL_CLUSTER=${goQuote(cluster.join(','))}
ETCD_INITIAL_ADVERTISE_PEER_URLS=${goQuote(options.peerUrls)}
ETCD_INITIAL_CLUSTER_STATE="existing"
`);
}

async function remove(call: ClientCall): Promise<void> {
  const ID = memberIdOf(call.operands);
  const connection = await call.connect();
  call.print(memberRemoveView(ID, await connection.call(ClusterMethod.memberRemove, { ID })));
}

async function update(call: ClientCall<typeof PEER_URLS>): Promise<void> {
  const ID = memberIdOf(call.operands);
  const peerURLs = peerUrlsOf(call.options.peerUrls);
  const connection = await call.connect();
  call.print(memberUpdateView(ID, await connection.call(ClusterMethod.memberUpdate, { ID, peerURLs })));
}

async function promote(call: ClientCall): Promise<void> {
  const ID = memberIdOf(call.operands);
  const connection = await call.connect();
  call.print(memberPromoteView(ID, await connection.call(ClusterMethod.memberPromote, { ID })));
}

function memberIdOf(operands: readonly string[]): bigint {
  const [written] = operands;
  if (written === undefined || operands.length !== 1) throw badArguments('member ID is not provided');
  try {
    return parseUint64(written, 16);
  } catch (error) {
    throw badArguments(`bad member ID arg (${(error as Error).message}), expecting ID in Hex`);
  }
}

function peerUrlsOf(written: string): string[] {
  if (written === '') throw badArguments('member peer urls not provided');
  return written.split(',');
}
