import { integer, option, text } from '../base/options.ts';

const AUTH = 'Users and passwords';

/** etcd's default and bounds. Each step doubles the time that a login takes. */
const BCRYPT_COST = 10;
const BCRYPT_COST_MIN = 4;
const BCRYPT_COST_MAX = 31;
const TOKEN_TTL_SECONDS = 300;
const TOKEN_TTL_SECONDS_MAX = 365 * 86_400;

/** docs/auth.md says more. */
export const AUTH_OPTIONS = {
  authToken: option(text('kind,…'), {
    flag: 'auth-token',
    default: 'simple',
    group: AUTH,
    help: 'tokens after a login: simple, or jwt,sign-method=RS256,pub-key=pub.pem,priv-key=key.pem,ttl=5m for several replicas',
  }),
  authTokenTtl: option(integer(1, TOKEN_TTL_SECONDS_MAX), {
    flag: 'auth-token-ttl',
    default: TOKEN_TTL_SECONDS,
    group: AUTH,
    help: 'seconds after which an unused simple token is over',
  }),
  bcryptCost: option(integer(BCRYPT_COST_MIN, BCRYPT_COST_MAX), {
    flag: 'bcrypt-cost',
    default: BCRYPT_COST,
    group: AUTH,
    help: 'how dear the hash of a password is: one more doubles the time of a login',
  }),
} as const;
