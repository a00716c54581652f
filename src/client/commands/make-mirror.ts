import type { Command } from '../../base/command.ts';
import { flag, option, text } from '../../base/options.ts';
import { type ClientCall, clientCommand } from '../client-command.ts';
import { badArguments } from '../exit-error.ts';
import { int64 } from '../global-options.ts';
import type { ClientHost } from '../host.ts';
import { mirror } from '../mirror.ts';

const own = { group: 'Where to', fromEnvironment: false } as const;
const path = (name: string, help: string) =>
  option(text('path'), { ...own, flag: name, default: '', defaultText: 'none', help });

const MIRROR_OPTIONS = {
  prefix: option(text('prefix'), {
    flag: 'prefix',
    default: '',
    defaultText: 'all',
    group: 'What is mirrored',
    fromEnvironment: false,
    help: 'only keys that begin with it',
  }),
  rev: option(int64, {
    flag: 'rev',
    default: 0,
    defaultText: 'now',
    group: 'What is mirrored',
    fromEnvironment: false,
    help: 'what changed since this revision, without what was there before',
  }),
  destPrefix: option(text('prefix'), {
    ...own,
    flag: 'dest-prefix',
    default: '',
    defaultText: 'as --prefix',
    help: 'what keys begin with there, instead of --prefix',
  }),
  noDestPrefix: option(flag, { ...own, flag: 'no-dest-prefix', default: false, help: '--prefix is cut off there' }),
  destCacert: path('dest-cacert', 'as --cacert, for the destination'),
  destCert: path('dest-cert', 'as --cert, for the destination'),
  destKey: path('dest-key', 'as --key, for the destination'),
  destInsecureTransport: option(flag, {
    ...own,
    flag: 'dest-insecure-transport',
    default: true,
    help: 'as --insecure-transport, for the destination',
  }),
  destUser: option(text('name[:password]'), {
    ...own,
    flag: 'dest-user',
    default: '',
    defaultText: 'none',
    help: 'as --user, for the destination',
  }),
  destPassword: option(text('password'), {
    ...own,
    flag: 'dest-password',
    default: '',
    defaultText: 'none',
    help: 'as --password, for the destination',
  }),
} as const;

const DETAILS = `Copies all keys as they are now, then every change as it happens, transaction by transaction, until it is stopped.
Prints every 30 seconds how many keys it wrote. Revisions and leases are the destination's own: to move with them there is
"kedge migrate".

Example:
  kedge make-mirror http://10.0.0.2:2379 --prefix /app/ --dest-prefix /copy-of-app/`;

/** `kedge make-mirror`: etcdctl's. */
export function commands(host: ClientHost): Command[] {
  return [
    clientCommand(host, {
      name: 'make-mirror',
      summary: 'copy keys to another server, and go on as they change',
      operands: [{ name: 'destination', help: 'the endpoint to copy to', required: true }],
      options: MIRROR_OPTIONS,
      details: DETAILS,
      run: makeMirror,
    }),
  ];
}

async function makeMirror(call: ClientCall<typeof MIRROR_OPTIONS>): Promise<number> {
  const { host, options, operands } = call;
  const [destination] = operands;
  if (destination === undefined || operands.length !== 1) {
    throw badArguments('make-mirror takes one destination argument');
  }
  if (options.noDestPrefix && options.destPrefix !== '') {
    throw badArguments('`--dest-prefix` and `--no-dest-prefix` cannot be set at the same time, choose one');
  }
  const target = await call.connect({
    endpoints: [destination],
    options: {
      cacert: options.destCacert,
      cert: options.destCert,
      key: options.destKey,
      insecureTransport: options.destInsecureTransport,
      insecureSkipTlsVerify: false,
      user: options.destUser,
      password: options.destPassword,
    },
  });
  const source = await call.connect();
  return mirror({
    source,
    target,
    clock: host.clock,
    prefix: options.prefix,
    targetPrefix: options.noDestPrefix ? '' : options.destPrefix === '' ? options.prefix : options.destPrefix,
    startRevision: options.rev,
    onProgress: (keys) => host.out(`${keys}\n`),
  });
}
