import { refusal } from './errors.ts';
import type { DowngradeRequest, DowngradeResponse } from './messages/maintenance-table.ts';
import type { Value } from './messages/schema.ts';
import { CLUSTER_VERSION, DOWNGRADE_VERSION } from './version.ts';

const VALIDATE = 0;
const ENABLE = 1;
const CANCEL = 2;

/**
 * Downgrade as a single member answers: targets are checked as etcd checks them, and validating the one before its own
 * says yes. But there is no older etcd that could open kedge's store, so enabling is refused, and there is never a
 * job to cancel. Source: etcd's server/etcdserver/v3_server.go, and trying it with 3.5.30.
 */
export function downgrade(request: Value<typeof DowngradeRequest>): Partial<Value<typeof DowngradeResponse>> {
  switch (request.action) {
    case VALIDATE:
      checkTarget(request.version);
      return { version: CLUSTER_VERSION };
    case ENABLE:
      checkTarget(request.version);
      throw refusal('notCapable');
    case CANCEL:
      throw refusal('noInflightDowngrade');
    default:
      throw refusal('unknownMethod');
  }
}

/** major.minor or a whole semantic version, of which the patch level and what follows are of no account. */
const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)(\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?)?$/;

function checkTarget(version: string): void {
  const match = VERSION.exec(version);
  if (match === null) throw refusal('wrongDowngradeVersionFormat');
  if (`${match[1]}.${match[2]}.0` !== DOWNGRADE_VERSION) throw refusal('invalidDowngradeTargetVersion');
}
