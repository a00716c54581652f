import type { Method } from '../../wire/grpc.ts';
import { toStatusError } from '../errors.ts';
import { AlarmRequest } from '../messages/maintenance-table.ts';
import type { Access, AuthCall } from './access.ts';

type Rule = (access: Access, call: AuthCall, request: Uint8Array) => void;
type Methods = readonly (readonly [path: string, method: Method])[];

const root: Rule = (access, call) => access.admin(call);
const anyUser: Rule = (access, call) => {
  access.known(call);
};
/** Looking is anybody's, raising and clearing root's. */
const alarm: Rule = (access, call, request) => {
  if (AlarmRequest.decode(request).action === GET) access.known(call);
  else access.admin(call);
};
const GET = 0;

/**
 * Who may call what has nothing to do with keys. What has is asked where the request is read: kv.ts, watch-stream.ts,
 * lease.ts. Source: etcd 3.5's api/v3rpc/maintenance.go, key.go and etcdserver/server.go.
 */
const RULES: Readonly<Record<string, Rule>> = {
  '/etcdserverpb.KV/Compact': root,
  '/etcdserverpb.Lease/LeaseGrant': anyUser,
  '/etcdserverpb.Cluster/MemberList': anyUser,
  '/etcdserverpb.Cluster/MemberAdd': root,
  '/etcdserverpb.Cluster/MemberRemove': root,
  '/etcdserverpb.Cluster/MemberUpdate': root,
  '/etcdserverpb.Cluster/MemberPromote': root,
  '/etcdserverpb.Maintenance/Alarm': alarm,
  '/etcdserverpb.Maintenance/Status': anyUser,
  '/etcdserverpb.Maintenance/Defragment': root,
  '/etcdserverpb.Maintenance/Hash': root,
  '/etcdserverpb.Maintenance/HashKV': root,
  '/etcdserverpb.Maintenance/Snapshot': root,
  '/etcdserverpb.Maintenance/MoveLeader': root,
  '/etcdserverpb.Maintenance/Downgrade': root,
};

/** The same methods, each behind its rule while auth is on. */
export function guardedMethods(methods: Methods, access: Access): Methods {
  return methods.map(([path, method]) => {
    const rule = RULES[path];
    return rule === undefined ? [path, method] : [path, guarded(method, rule, access)];
  });
}

function guarded(method: Method, rule: Rule, access: Access): Method {
  const check = (call: AuthCall, request: Uint8Array): void => {
    if (!access.enabled) return;
    try {
      rule(access, call, request);
    } catch (error) {
      throw toStatusError(error);
    }
  };
  if (method.kind === 'stream') {
    return {
      ...method,
      open(call) {
        check(call, NO_REQUEST);
        return method.open(call);
      },
    };
  }
  return {
    kind: 'unary',
    handle(request, call) {
      check(call, request);
      return method.handle(request, call);
    },
  };
}

const NO_REQUEST = new Uint8Array(0);
