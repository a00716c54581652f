import { createHmac, hkdfSync, timingSafeEqual, type X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { Failure } from '../base/failure.ts';
import { isLoopbackIp } from './address.ts';
import { PEER_LIMITS } from './limits.ts';
import type { KnownMembers } from './member-table.ts';
import { Refused } from './refused.ts';
import type { MemberId, Side } from './types.ts';

/**
 * Whom a member believes. Four ways, one interface. TLS has proven by then that the other side holds the key of its
 * certificate; the question left is whether that key belongs here.
 *
 *     ca        the certificate comes from a certificate authority of ours and carries the name we ask for
 *     secret    both sides know a secret, and prove it over this very TLS session
 *     store     the key's id stands in the store's table of members, where only who may write the store can put it
 *     loopback  anybody on this machine: for trying out
 */
export interface Trust {
  readonly mode: 'ca' | 'secret' | 'store' | 'loopback';
  /** PEM of the authorities that TLS checks the other side's chain by. */
  readonly ca?: string;
  /** Rejects with Refused. */
  checkPeer(peer: TlsPeer): Promise<void>;
  /** What we show the other side; empty where nothing is to be shown. */
  proof(side: Side, session: Session): Buffer;
  /** Throws Refused. */
  checkProof(side: Side, session: Session, proof: Buffer): void;
}

/** What TLS says of the other side. */
export interface TlsPeer {
  readonly id: MemberId;
  readonly certificate: X509Certificate;
  readonly remoteIp: string;
  readonly localIp: string;
  /** Why TLS did not accept the chain; undefined when it did. */
  readonly chainError: string | undefined;
}

/** What both ends of one TLS session know, and nobody between them. */
export interface Session {
  /** Keying material of RFC 8446, section 7.5: another session has another. */
  readonly exporter: Buffer;
  readonly diallerId: MemberId;
  readonly acceptorId: MemberId;
}

/** `ca`: a chain to the authority, and a DNS name in the certificate (wildcards as in TLS). */
export function caTrust(authorityFile: string, name: string): Trust {
  return {
    mode: 'ca',
    ca: readOrFail(authorityFile),
    async checkPeer(peer) {
      if (peer.chainError !== undefined) {
        throw new Refused('untrusted-certificate', `the certificate is not from our authority: ${peer.chainError}`);
      }
      if (peer.certificate.checkHost(name, { subject: 'never' }) === undefined) {
        throw new Refused('certificate-name', `the certificate does not carry the name ${name}`);
      }
    },
    proof: () => NOTHING,
    checkProof: nothingToProve,
  };
}

/**
 * `secret`: HMAC over the session's keying material and both ids. Who relays between two members has two TLS sessions
 * with different material, so that a proof from one is worth nothing in the other; the secret itself never travels.
 * The dialler proves first. The file may hold several lines, to change the secret without a break: the first is
 * shown, each is accepted.
 */
export function secretTrust(file: string): Trust {
  const keys = secretsOf(file).map((secret) => Buffer.from(hkdfSync('sha256', secret, '', 'kedge peers 1', 32)));
  return {
    mode: 'secret',
    checkPeer: ownKeyOnly,
    proof: (side, session) => (keys[0] === undefined ? NOTHING : proofOf(keys[0], side, session)),
    checkProof(side, session, proof) {
      const isKnown = keys.some((key) => {
        const expected = proofOf(key, side, session);
        return expected.length === proof.length && timingSafeEqual(expected, proof);
      });
      if (!isKnown) throw new Refused('wrong-secret', 'they do not know our secret, or somebody stands between us');
    },
  };
}

/** `store`: the table is asked again, at most once a second, when somebody is not in what was read of it. */
export function storeTrust(members: KnownMembers): Trust {
  return {
    mode: 'store',
    async checkPeer(peer) {
      await ownKeyOnly(peer);
      if (!(await members.has(peer.id))) {
        throw new Refused('not-in-table', `member ${peer.id.slice(0, 16)} is not in the store's table of members`);
      }
    },
    proof: () => NOTHING,
    checkProof: nothingToProve,
  };
}

/** `loopback`: whoever runs on this machine. */
export const loopbackTrust: Trust = {
  mode: 'loopback',
  async checkPeer(peer) {
    await ownKeyOnly(peer);
    if (!isLoopbackIp(peer.remoteIp) || !isLoopbackIp(peer.localIp)) {
      throw new Refused('not-loopback', '--peer-trust loopback takes nobody from another machine');
    }
  },
  proof: () => NOTHING,
  checkProof: nothingToProve,
};

const NOTHING = Buffer.alloc(0);

async function ownKeyOnly({ certificate }: TlsPeer): Promise<void> {
  if (certificate.publicKey.asymmetricKeyType === 'ed25519') return;
  throw new Refused('untrusted-certificate', 'their key is no Ed25519 key: do they use --peer-trust ca?');
}

function nothingToProve(_side: Side, _session: Session, proof: Buffer): void {
  if (proof.length > 0) throw new Refused('wrong-secret', 'they prove a secret; our --peer-trust is another');
}

function proofOf(key: Buffer, side: Side, { exporter, diallerId, acceptorId }: Session): Buffer {
  return createHmac('sha256', key).update(`${side} ${diallerId} ${acceptorId} `).update(exporter).digest();
}

function secretsOf(file: string): string[] {
  const bytesMax = PEER_LIMITS.secretFileBytesMax;
  const written = readOrFail(file);
  if (written.length > bytesMax) throw new Failure(`${file} is larger than ${bytesMax} bytes: no secret of ours`);
  const secrets = written
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (secrets.length === 0) throw new Failure(`${file} is empty; openssl rand -base64 32 makes a secret`);
  if (secrets.some((secret) => secret.length < PEER_LIMITS.secretBytesMin)) {
    throw new Failure(
      `${file} has a secret shorter than ${PEER_LIMITS.secretBytesMin} characters, which can be guessed; ` +
        'openssl rand -base64 32 makes a good one',
    );
  }
  if ((statSync(file).mode & 0o007) !== 0) {
    throw new Failure(`${file} is open to everybody on this machine: chmod 600 it`);
  }
  return secrets;
}

function readOrFail(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Failure(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}
