import { flag, option, text } from '../base/options.ts';

const GROUP = 'Reaching a server';

/** How to reach an etcd or a kedge that runs, with etcdctl's names. */
export const ETCD_ACCESS = {
  cacert: option(text('path'), {
    flag: 'cacert',
    default: '',
    defaultText: 'the system’s',
    group: GROUP,
    help: 'certificates of the authorities to trust',
  }),
  cert: option(text('path'), {
    flag: 'cert',
    default: '',
    defaultText: 'none',
    group: GROUP,
    help: 'client certificate',
  }),
  key: option(text('path'), { flag: 'key', default: '', defaultText: 'none', group: GROUP, help: 'its private key' }),
  insecureSkipTlsVerify: option(flag, {
    flag: 'insecure-skip-tls-verify',
    default: false,
    group: GROUP,
    help: 'take any certificate: for trying out only',
  }),
  user: option(text('name:password'), {
    flag: 'user',
    default: '',
    defaultText: 'none',
    group: GROUP,
    help: 'who asks; a snapshot needs the role root',
  }),
  password: option(text('password'), {
    flag: 'password',
    default: '',
    defaultText: 'none',
    group: GROUP,
    help: 'instead of in --user; better by its environment variable',
  }),
} as const;
