import { type Family, gauge } from './exposition.ts';

/** Users and roles; etcd's name. */
export function authFamilies(auth: { readonly revision: number }): Family[] {
  return [gauge('etcd_debugging_auth_revision', 'The current revision of users and roles.', () => auth.revision)];
}
