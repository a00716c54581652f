import {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseLeasesRequest,
  LeaseLeasesResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
} from '../etcd/messages/lease-table.ts';
import { readMethod, writeMethod } from './method.ts';

/** The methods of etcdserverpb.Lease; keepAlive is a stream both ways. */
export const LeaseMethod = {
  grant: writeMethod('Lease/LeaseGrant', LeaseGrantRequest, LeaseGrantResponse),
  revoke: writeMethod('Lease/LeaseRevoke', LeaseRevokeRequest, LeaseRevokeResponse),
  keepAlive: readMethod('Lease/LeaseKeepAlive', LeaseKeepAliveRequest, LeaseKeepAliveResponse),
  timeToLive: readMethod('Lease/LeaseTimeToLive', LeaseTimeToLiveRequest, LeaseTimeToLiveResponse),
  leases: readMethod('Lease/LeaseLeases', LeaseLeasesRequest, LeaseLeasesResponse),
} as const;
