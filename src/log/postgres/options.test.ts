import { describe, expect, it } from 'vitest';
import { parsePostgresUrl } from './options.ts';

describe('the URL of a PostgreSQL store', () => {
  it('has defaults for everything but the host', () => {
    expect(parsePostgresUrl('postgres://127.0.0.1')).toMatchObject({
      hosts: [{ host: '127.0.0.1', port: 5432 }],
      database: 'kedge',
      schema: 'kedge',
      sslMode: 'disable',
      poolMax: 8,
      statementTimeoutMs: 10_000,
      notify: true,
      pgbouncer: false,
    });
  });

  it('asks a server beyond this machine for a certificate', () => {
    expect(parsePostgresUrl('postgresql://db.example/kedge').sslMode).toBe('verify-full');
    expect(parsePostgresUrl('postgres://127.0.0.1,db.example/kedge').sslMode).toBe('verify-full');
    expect(parsePostgresUrl('postgres:///kedge?host=/var/run/postgresql')).toMatchObject({
      sslMode: 'disable',
      hosts: [{ host: '/var/run/postgresql', port: 5432 }],
    });
  });

  it.each([
    ['schema=Bad-One', 'parameter schema is "Bad-One"'],
    ['schema=pg_catalog', 'not pg_'],
    ['sslmode=allow', 'it must be disable or require or verify-ca or verify-full'],
    ['sslmode=verify-ca', 'needs sslrootcert'],
    ['sslcert=/a', 'sslcert and sslkey belong together'],
    ['pool_max=2', 'a whole number from 3 to 100'],
    ['target_session_attrs=any', 'it must be read-write or primary'],
    ['pgbouncer=session', 'it must be off or transaction'],
    ['password_file=/a', 'a password in the URL and a password_file'],
    ['sslnegotiation=direct', 'unknown parameter sslnegotiation'],
  ])('refuses ?%s', (query, message) => {
    expect(() => parsePostgresUrl(`postgres://kedge:geheim@db/kedge?${query}`)).toThrow(message);
    expect(() => parsePostgresUrl(`postgres://kedge:geheim@db/kedge?${query}`)).not.toThrow('geheim');
  });
});
