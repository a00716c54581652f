/*
 * What is typed into etcdctl and into our client, one after the other, each at a server of its own: they must say the
 * same and exit the same. The steps of a story build on each other.
 */

export interface Step {
  /** Words; `{lease}` and `{member}` stand for the id that was printed last. */
  readonly words: readonly string[];
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Story {
  readonly name: string;
  readonly steps: readonly Step[];
  /** What of the server it needs beyond the basics; see KEDGE_HAS. */
  readonly needs?: 'auth' | 'members';
  /** Members come in the order of their ids, which are chance: what is said is compared without its order. */
  readonly anyOrder?: boolean;
}

/** Which of the needs kedge meets by now: the stories are told to it, too. */
export const KEDGE_HAS: readonly Story['needs'][] = [undefined, 'auth'];

/** `get a --rev=2` → words. No quotes: words with spaces are written as lists. */
function step(line: string | readonly string[], input?: string): Step {
  const words = typeof line === 'string' ? line.split(' ') : line;
  return input === undefined ? { words } : { words, input };
}

const lines = (...all: readonly string[]) => all.map((line) => step(line));
const FORMATS = ['fields', 'json', 'table', 'protobuf', 'simple', 'yaml'];
/** A step in every format that etcdctl has, and one that it has not. */
const inAllFormats = (line: string) => FORMATS.map((format) => step(`${line} -w ${format}`));
/** Leases' protobuf is a header alone in etcdctl, or missing, by accident. */
const inMostFormats = (line: string) =>
  FORMATS.filter((format) => format !== 'protobuf').map((format) => step(`${line} -w ${format}`));

export const STORIES: readonly Story[] = [
  {
    name: 'put',
    steps: [
      ...lines('put a 1', 'put a 2 --prev-kv', 'put a 3 --prev-kv --hex', 'put --prev-kv=false a 4'),
      step(['put', 'with space', 'a "quoted" value\nof two lines']),
      step(['put', 'bytes', 'é世🙂\u0001\u007f\u00a0']),
      step('put b', 'from\0standard input\n'),
      step(['put', '--', '-dash', '--value']),
      step(['put', 'dash', '--', '-value']),
      step(['put', 'empty', '']),
      ...inAllFormats('put formats x --prev-kv'),
      ...lines('put', 'put a', 'put a --ignore-value', 'put nope --ignore-value', 'put --ignore-value a b'),
      ...lines('put x y --lease=zzz', 'put x y --lease=1', 'put a b c', 'put a 5 --ignore-lease'),
      step(['put', '', 'x']),
    ],
  },
  {
    name: 'get',
    steps: [
      ...lines('put g/1 one', 'put g/2 two', 'put g/3 three', 'put g/2 two-again', 'put h x'),
      ...inAllFormats('get g/1'),
      ...inAllFormats('get --prefix g/'),
      ...lines('get nope', 'get nope -w json', 'get nope -w fields', 'get g/1 g/3', 'get g/1 g/3 g/4 g/5', 'get'),
      ...lines('get --prefix g/ --keys-only', 'get --prefix g/ --keys-only -w json', 'get --prefix g/ --limit 2'),
      ...lines('get --prefix g/ --limit=1 -w json', 'get --prefix g/ --limit 2 -w fields', 'get --from-key g/2'),
      ...lines(
        'get --from-key --prefix g/',
        'get --prefix g/ x',
        'get --from-key g/2 x',
        'get --count-only --keys-only a',
      ),
      ...lines(
        'get --prefix g/ --count-only',
        'get --prefix g/ --count-only -w fields',
        'get --prefix g/ --count-only -w json',
      ),
      ...lines(
        'get --prefix g/ --print-value-only',
        'get g/1 --print-value-only -w json',
        'get g/1 --hex',
        'get bytes --hex',
      ),
      ...lines('get g/1 --hex -w json', 'get bytes -w fields', 'get bytes -w json', 'get g/2 --print-value-only --hex'),
      ...['ASCEND', 'DESCEND', 'descend', 'sideways'].map((order) => step(`get --prefix g/ --order ${order}`)),
      ...['CREATE', 'KEY', 'MODIFY', 'modify', 'VALUE', 'VERSION', 'SIZE'].map((target) =>
        step(`get --prefix g/ --sort-by ${target} --order DESCEND`),
      ),
      ...lines(
        'get g/1 --rev 3',
        'get g/1 --rev 99999',
        'get g/1 --rev -5',
        'get g/1 --consistency s',
        'get g/1 --consistency x',
      ),
      ...lines('get g/1 --consistency=l', '-w json get g/1', '--hex get g/1', '-wjson get g/1', '-w=json get g/1'),
      step(['get', '--prefix', '', '--keys-only']),
      step(['get', '--from-key', '', '--keys-only', '--limit', '3']),
      step(['get', '']),
      step(['get', 'with space']),
      { words: ['get', 'g/1'], environment: { ETCDCTL_WRITE_OUT: 'json' } },
      { words: ['get', 'g/1', '-w', 'simple'], environment: { ETCDCTL_HEX: 'true' } },
      { words: ['get', 'g/1'], environment: { ETCDCTL_PREFIX: 'true' } },
    ],
  },
  {
    name: 'del',
    steps: [
      ...lines('put d/1 one', 'put d/2 two', 'put d/3 three', 'put d/4 four', 'put d/5 five', 'put d/6 six'),
      ...lines('del d/1', 'del d/1', 'del d/2 --prev-kv', 'del d/3 --prev-kv -w json', 'del d/4 --prev-kv -w fields'),
      ...lines(
        'del d/5 d/6 --range --prev-kv --hex',
        'del --prefix d/',
        'del',
        'del a b c',
        'del --prefix --from-key a',
      ),
      ...lines('del --prefix a b', 'del --from-key a b', 'del nope -w json', 'del nope -w table'),
      step(['del', '']),
      step(['del', '--prefix', '', '--prev-kv']),
    ],
  },
  {
    name: 'txn',
    steps: [
      step('put user ann'),
      ...['simple', 'fields', 'json', 'protobuf', 'table'].map((format) =>
        step(
          `txn -w ${format}`,
          'value("user") = "ann"\nver("user") > "0"\n\nput x 1\nget user\nget --prefix u\ndel nope\n\nput y 1\n\n',
        ),
      ),
      step('txn', 'val("user") != "ann"\n\nput x 1\n\nput y "a \\"b\\" \\n\\xff"\nget --keys-only user\n\n'),
      step('txn --hex', 'create("user") < "1"\n\n\nget y\ndel --prev-kv x\n\n'),
      step('txn -i', 'mod("user") > "0"\nc("user") > "0"\nm("user") < "1000000"\n\nput a \'single "quoted"\'\n\n\n'),
      step('txn -w json', '\n\n\n'),
      step('txn', '\nput a 1\nput a 2\n\n\n'),
      step('txn', '\nput a\n\n\n'),
      step('txn', '\nput a 1 --lease=zz\n\n\n'),
      step('txn', '\nput\n\n\n'),
      step('txn', '\nmove a\n\n\n'),
      step('txn', '\nget a b --prefix\n\n\n'),
      step('txn', 'nothing\n\n\n'),
      step('txn', 'lease(a) = "0"\n\n\n'),
      step('txn', 'what("a") = "0"\n\n\n'),
      step('txn', 'ver("a") = "x"\n\n\n'),
      step('txn', 'ver("a")\n\n\n'),
      step('txn', ''),
      step('txn', '\n\nput a 1'),
      step('txn extra', '\n\n\n'),
    ],
  },
  {
    name: 'compaction',
    steps: [
      ...lines('put c 1', 'put c 2', 'put c 3', 'compaction', 'compaction x', 'compaction 999999', 'compaction 1 2'),
      ...lines('compaction 3', 'compaction 3', 'compaction 5 --physical', 'get c --rev 2', 'compaction -- -1'),
    ],
  },
  {
    name: 'lease',
    steps: [
      ...inMostFormats('lease grant 300'),
      ...lines(
        'lease grant',
        'lease grant x',
        'lease grant 1 2',
        'lease grant 99999999999999999999',
        'lease grant 99999999999',
      ),
      ...lines(
        'lease grant 300',
        'put l/1 x --lease {lease}',
        'put l/1 y --lease={lease}',
        'get l/1 -w json',
        'get l/1 -w fields',
      ),
      ...inMostFormats('lease timetolive {lease} --keys'),
      ...inMostFormats('lease timetolive {lease}'),
      ...lines('lease timetolive', 'lease timetolive xyz', 'lease timetolive 123', 'lease timetolive 123 -w json'),
      ...inMostFormats('lease list'),
      ...inMostFormats('lease keep-alive --once {lease}'),
      ...lines(
        'lease keep-alive',
        'lease keep-alive --once 123',
        'lease keep-alive 123',
        'lease keep-alive 123 -w json',
      ),
      ...lines('lease revoke {lease}', 'lease revoke {lease}', 'get --prefix l/', 'lease revoke', 'lease revoke xyz'),
      ...lines('lease grant 300', 'lease revoke {lease} -w json', 'lease grant 300', 'lease revoke {lease} -w fields'),
    ],
  },
  {
    name: 'endpoint, member, alarm, defrag, move-leader',
    steps: [
      ...inMostFormats('member list'),
      ...lines('member list --hex -w json', 'member list --hex'),
      ...inMostFormats('endpoint status'),
      ...inMostFormats('endpoint health'),
      ...inMostFormats('endpoint hashkv'),
      ...lines('endpoint hashkv --rev 6', 'endpoint hashkv --rev 999999', 'endpoint status --cluster'),
      ...lines('endpoint --cluster health', 'endpoint health --endpoints 127.0.0.1:1 --command-timeout 300ms'),
      ...lines(
        'endpoint status --endpoints 127.0.0.1:1 --command-timeout 300ms',
        'get a --endpoints 127.0.0.1:1 --command-timeout 300ms',
      ),
      ...lines('endpoint hashkv --endpoints 127.0.0.1:1 --command-timeout=300ms'),
      ...inAllFormats('alarm list'),
      ...lines('alarm list x', 'alarm disarm', 'alarm disarm x', 'alarm disarm -w json'),
      ...lines('defrag', 'defrag --cluster', 'defrag --endpoints 127.0.0.1:1 --command-timeout 300ms'),
      ...lines('move-leader', 'move-leader xyz', 'move-leader 1', 'member add', 'member add x', 'member remove'),
      ...lines(
        'member add x http://a:1 http://b:2',
        'member remove xyz',
        'member update 1',
        'member update',
        'member promote',
      ),
      ...lines(
        'member update 1 --peer-urls=http://127.0.0.1:9',
        'member promote 1',
        'member promote xyz',
        'member remove 123',
      ),
    ],
  },
  {
    name: 'members come and go',
    needs: 'members',
    anyOrder: true,
    steps: [
      ...lines('member add x --peer-urls=http://127.0.0.1:33333 --learner', 'member list', 'member list -w table'),
      ...lines('member list -w json', 'member list -w fields', 'member promote {member}'),
      ...lines('member update {member} --peer-urls=http://127.0.0.1:33334', 'member remove {member}'),
    ],
  },
  {
    name: 'users and roles',
    needs: 'auth',
    steps: [
      ...lines('user add root:pw', 'user add ann:x -w json', 'user add bob --new-user-password=yy', 'user add ann:x'),
      ...lines('user add nopw --no-password -w fields', 'user add', 'user add :x', 'user add a b'),
      step('user add carl --interactive=false', 'secret\n'),
      step('user passwd bob --interactive=false', 'new\n'),
      ...inAllFormats('user list'),
      ...inAllFormats('role list'),
      ...lines('role add r1', 'role add r2 -w json', 'role add r1', 'role add', 'role grant-permission r1 read foo'),
      ...lines('role grant-permission r1 readwrite bar baz', 'role grant-permission r1 write --prefix pre/'),
      ...lines('role grant-permission r1 readwrite --from-key z -w fields', 'role grant-permission r1 look foo'),
      ...lines(
        'role grant-permission r1 read',
        'role grant-permission r1 read a b --prefix',
        'role grant-permission r1 read a b --from-key',
      ),
      ...lines('role grant-permission r1 read a --prefix --from-key', 'role grant-permission nope read a'),
      step(['role', 'grant-permission', 'r2', 'readwrite', '', '--prefix']),
      ...inAllFormats('role get r1'),
      ...lines('role get r2', 'role get nope', 'role get', 'role list', 'role list -w fields', 'role list -w json'),
      ...lines(
        'user grant-role ann r1',
        'user grant-role ann r2 -w fields',
        'user grant-role ann nope',
        'user grant-role ann',
      ),
      ...inAllFormats('user get ann'),
      ...lines('user get ann --detail', 'user get ann --detail -w json', 'user get nope', 'user get'),
      ...lines(
        'role revoke-permission r1 foo',
        'role revoke-permission r1 bar baz',
        'role revoke-permission r1 z --from-key',
      ),
      ...lines(
        'role revoke-permission r1 --prefix pre/',
        'role revoke-permission r1 nope',
        'role revoke-permission r1',
      ),
      ...lines(
        'role grant-permission r1 readwrite --prefix a/',
        'user revoke-role ann r2',
        'user revoke-role ann nope',
      ),
      ...inAllFormats('auth status'),
      ...lines(
        'auth enable',
        'get a',
        'get a --user ann:bad',
        'get a/1 --user ann:x',
        'get b --user ann:x',
        'put a/1 2 --user ann:x',
      ),
      ...lines(
        '--user=root:pw role list',
        'role list --user root --password pw',
        'auth status --user root:pw',
        'auth enable x',
      ),
      ...lines('endpoint status', 'endpoint health', 'endpoint health --user ann:x', 'auth disable --user ann:x'),
      { words: ['get', 'a/1'], environment: { ETCDCTL_USER: 'ann:x' } },
      ...lines(
        'auth disable --user root:pw',
        'user delete bob',
        'user delete bob',
        'role delete r2',
        'role delete r2',
        'user list',
      ),
      // The server has auth off: a user is no harm.
      ...lines('get a --user ann:bad', 'user delete', 'role delete', 'user list x', 'role list x', 'auth status x'),
    ],
  },
];
