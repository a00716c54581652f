import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { makeSelfSigned } from './certificates.ts';
import type { ListenUrl } from './listen-url.ts';

const YEAR_MS = 365 * 24 * 3_600_000;

export interface AutoTlsOptions {
  readonly dataDir: string;
  readonly years: number;
  readonly urls: readonly ListenUrl[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** etcd's --auto-tls: a certificate signed by itself, made once and kept. It encrypts; who the server is it does not prove. */
export async function autoTls(options: AutoTlsOptions): Promise<{ certFile: string; keyFile: string }> {
  const { dataDir, years, urls, clock, logger } = options;
  const folder = join(dataDir, 'fixtures', 'client');
  const files = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
  if (existsSync(files.certFile) && existsSync(files.keyFile)) return files;
  const addresses = urls.flatMap((url) => (url.kind === 'tcp' ? [url.host] : []));
  const hosts = [...new Set([hostname(), 'localhost', '127.0.0.1', '::1', ...addresses])].filter(
    (host) => host !== '0.0.0.0' && host !== '::',
  );
  const fromMs = clock.wallMs();
  const made = await makeSelfSigned(hosts, { fromMs, untilMs: fromMs + years * YEAR_MS });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(files.keyFile, made.key, { mode: 0o600 });
  await writeFile(files.certFile, made.certificate);
  logger.info('made a certificate that is signed by itself', { cert_file: files.certFile, years });
  return files;
}
