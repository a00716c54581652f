/**
 * The etcd whose API kedge speaks, as told by Status and /version. Clients choose features by it: kube-apiserver asks
 * for progress notifications of watches from 3.4.31 and 3.5.13 on, and 3.7 is the first with RangeStream, the newest
 * of what kedge serves. Not kedge's own version, which stands in package.json.
 */
export const ETCD_VERSION = '3.7.0';

/** etcd's cluster version and storage version: without the patch level. */
export const CLUSTER_VERSION = '3.7.0';

/** The only version that etcd of this version could be downgraded to. */
export const DOWNGRADE_VERSION = '3.6.0';
