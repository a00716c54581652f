import { duration, flag, list, type OptionKind, type OptionValues, option, text } from '../base/options.ts';
import { UsageError } from '../base/usage-error.ts';
import { parseInt64Number } from './format/go-integer.ts';

/** Where client commands look for variables, first to last. */
export const CLIENT_ENVIRONMENT_PREFIXES = ['KEDGE', 'ETCDCTL'];

/** The formats of `-w`. */
export const OUTPUT_FORMATS = ['simple', 'fields', 'json', 'protobuf', 'table'] as const;

/** A word, of which completion knows some; which ones there are is checked by whoever uses it, in etcdctl's words. */
export function word(placeholder: string, ...choices: readonly string[]): OptionKind<string> {
  return { ...text(placeholder), choices };
}

/** A whole number of 64 bits; what a number cannot hold counts as the largest that it can. */
export const int64: OptionKind<number> = {
  placeholder: 'n',
  parse(written) {
    try {
      return parseInt64Number(written);
    } catch {
      throw new UsageError('a whole number');
    }
  },
  format: String,
};

const CLIENT = 'Whom it talks to';
const SECURITY = 'Security';
const OUTPUT = 'Output';
const TIMES = 'Times';

/** The flags that every client command has: etcdctl's global ones. */
export const GLOBAL_OPTIONS = {
  endpoints: option(list(text('url')), {
    flag: 'endpoints',
    default: ['127.0.0.1:2379'],
    group: CLIENT,
    help: 'where the servers are, as host:port, http://…, https://… or unix:///path; when one fails the next is asked',
  }),
  writeOut: option(word('format', ...OUTPUT_FORMATS), {
    flag: 'write-out',
    short: 'w',
    default: 'simple',
    group: OUTPUT,
    help: 'how answers are written: simple, fields, json, table or protobuf',
  }),
  hex: option(flag, {
    flag: 'hex',
    default: false,
    group: OUTPUT,
    help: 'keys and values, byte by byte, as \\x61\\x62',
  }),
  cacert: option(text('path'), {
    flag: 'cacert',
    default: '',
    defaultText: 'those of the system',
    group: SECURITY,
    help: 'speak TLS, and trust certificates signed by those in this file',
  }),
  cert: option(text('path'), {
    flag: 'cert',
    default: '',
    defaultText: 'none',
    group: SECURITY,
    help: 'the certificate to show to the server, with --key',
  }),
  key: option(text('path'), {
    flag: 'key',
    default: '',
    defaultText: 'none',
    group: SECURITY,
    help: 'the private key of --cert',
  }),
  insecureSkipTlsVerify: option(flag, {
    flag: 'insecure-skip-tls-verify',
    default: false,
    group: SECURITY,
    help: 'talk to whoever answers, whatever certificate it shows: for tests only',
  }),
  insecureTransport: option(flag, {
    flag: 'insecure-transport',
    default: true,
    group: SECURITY,
    help: 'plain text where the endpoint does not say; =false: TLS',
  }),
  user: option(text('name[:password]'), {
    flag: 'user',
    default: '',
    defaultText: 'none',
    group: SECURITY,
    help: 'log in with it; without a password it is asked for',
  }),
  password: option(text('password'), {
    flag: 'password',
    default: '',
    defaultText: 'none',
    group: SECURITY,
    help: 'the password of --user; better in a variable, where other users do not see it',
  }),
  dialTimeout: option(duration(0), {
    flag: 'dial-timeout',
    default: 2_000,
    group: TIMES,
    help: 'how long an endpoint may take to connect before the next one is tried',
  }),
  commandTimeout: option(duration(0), {
    flag: 'command-timeout',
    default: 5_000,
    group: TIMES,
    help: 'how long a request may take',
  }),
  keepaliveTime: option(duration(0), {
    flag: 'keepalive-time',
    default: 2_000,
    group: TIMES,
    help: 'a connection silent this long is pinged; at least 10s, which servers ask for',
  }),
  keepaliveTimeout: option(duration(0), {
    flag: 'keepalive-timeout',
    default: 6_000,
    group: TIMES,
    help: 'a ping unanswered this long ends the connection',
  }),
} as const;

export type GlobalOptions = OptionValues<typeof GLOBAL_OPTIONS>;

/** Flags of etcdctl's that do nothing here, or that would be wrong to ignore. */
export const GLOBAL_INERT_FLAGS = [
  {
    flag: 'debug',
    isSwitch: true,
    reason: 'gRPC in Node.js logs by GRPC_VERBOSITY=DEBUG GRPC_TRACE=all',
    refused: false,
  },
  { flag: 'insecure-discovery', isSwitch: true, reason: 'there is no discovery by DNS', refused: false },
  { flag: 'discovery-srv', isSwitch: false, reason: 'there is no discovery by DNS; use --endpoints', refused: true },
  {
    flag: 'discovery-srv-name',
    isSwitch: false,
    reason: 'there is no discovery by DNS; use --endpoints',
    refused: true,
  },
];
