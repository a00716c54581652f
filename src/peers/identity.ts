import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../base/failure.ts';
import { selfSignedCertificate } from './certificate.ts';
import type { MemberId } from './types.ts';

/** Who a member is, and what it shows in TLS. */
export interface Identity {
  readonly id: MemberId;
  /** PEM. The key never leaves this object but into TLS. */
  readonly privateKey: string;
  readonly certificate: string;
}

/** The id that belongs to a public key. */
export function memberIdOf(publicKey: KeyObject): MemberId {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/**
 * The member's own key, an Ed25519 one in `<folder>/identity.key`, made at the first start and kept for ever: who loses
 * it is another member. Throws Failure that names the file.
 */
export function loadIdentity(folder: string): Identity {
  const file = join(folder, 'identity.key');
  const privateKey = readKey(file) ?? makeKey(folder, file);
  if (privateKey.asymmetricKeyType !== 'ed25519')
    throw new Failure(`${file} is no Ed25519 key; remove it for a new one`);
  return {
    id: memberIdOf(createPublicKey(privateKey)),
    privateKey: pemOf(privateKey),
    certificate: selfSignedCertificate(privateKey),
  };
}

/** The identity that a certificate authority gave: its key is the member's. Throws Failure that names the file. */
export function identityFromFiles(certificateFile: string, keyFile: string): Identity {
  const certificate = readText(certificateFile);
  const privateKey = parsed(keyFile, () => createPrivateKey(readText(keyFile)));
  const leaf = parsed(certificateFile, () => new X509Certificate(certificate));
  if (!leaf.checkPrivateKey(privateKey)) throw new Failure(`${keyFile} is not the key of ${certificateFile}`);
  return { id: memberIdOf(leaf.publicKey), privateKey: pemOf(privateKey), certificate };
}

function readKey(file: string): KeyObject | undefined {
  try {
    // A group may be let in: Kubernetes' fsGroup sets its bits on every file of a volume.
    if ((statSync(file).mode & 0o007) !== 0) {
      throw new Failure(`${file} is open to everybody on this machine: chmod 600 it, or remove it for a new identity`);
    }
    const written = readFileSync(file, 'utf8');
    return parsed(file, () => createPrivateKey(written));
  } catch (error) {
    if (error instanceof Failure) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Failure(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** Written aside and then linked, which does not replace: two that start at once end with one key. */
function makeKey(folder: string, file: string): KeyObject {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    const aside = `${file}.${randomBytes(4).toString('hex')}`;
    writeFileSync(aside, pemOf(generateKeyPairSync('ed25519').privateKey), { mode: 0o600, flush: true });
    try {
      linkSync(aside, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      rmSync(aside);
    }
    return createPrivateKey(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Failure(`cannot make ${file}: ${(error as Error).message}`, { cause: error });
  }
}

function pemOf(key: KeyObject): string {
  return String(key.export({ type: 'pkcs8', format: 'pem' }));
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Failure(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** OpenSSL's own words about a key are for nobody, and might quote it. */
function parsed<T>(file: string, parse: () => T): T {
  try {
    return parse();
  } catch {
    throw new Failure(`${file} is not in PEM, or is damaged`);
  }
}
