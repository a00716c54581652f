import { createPublicKey, type KeyObject, sign } from 'node:crypto';

/**
 * A self-signed certificate around an Ed25519 key, for TLS, which wants one. Nothing in it is believed but the key:
 * trust comes from elsewhere (trust.ts). So it has one fixed form, is made anew at each start, and is valid for ever:
 * a machine at the edge may wake up in 1970. Written by hand because that is 40 lines, and a library for it is five
 * megabytes of memory in every member.
 *
 * Source: RFC 5280, section 4.1; RFC 8410 for the key; notAfter 99991231235959Z is "no end" (RFC 5280, 4.1.2.5).
 */
export function selfSignedCertificate(privateKey: KeyObject): string {
  const algorithm = sequence(ED25519);
  const name = sequence(set(sequence(COMMON_NAME, tlv(UTF8_STRING, Buffer.from('kedge member')))));
  const body = sequence(
    tlv(VERSION, tlv(INTEGER, Buffer.of(2))),
    tlv(INTEGER, Buffer.of(1)),
    algorithm,
    name,
    sequence(tlv(UTC_TIME, Buffer.from('700101000000Z')), tlv(GENERALIZED_TIME, Buffer.from('99991231235959Z'))),
    name,
    createPublicKey(privateKey).export({ type: 'spki', format: 'der' }),
  );
  const signature = tlv(BIT_STRING, Buffer.of(0), sign(null, body, privateKey));
  const lines = sequence(body, algorithm, signature)
    .toString('base64')
    .match(/.{1,64}/g);
  return `-----BEGIN CERTIFICATE-----\n${(lines ?? []).join('\n')}\n-----END CERTIFICATE-----\n`;
}

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OBJECT_ID = 0x06;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
const SET = 0x31;
const VERSION = 0xa0;
/** 1.3.101.112 */
const ED25519 = tlv(OBJECT_ID, Buffer.of(0x2b, 0x65, 0x70));
/** 2.5.4.3 */
const COMMON_NAME = tlv(OBJECT_ID, Buffer.of(0x55, 0x04, 0x03));

function sequence(...parts: readonly Buffer[]): Buffer {
  return tlv(SEQUENCE, ...parts);
}

function set(...parts: readonly Buffer[]): Buffer {
  return tlv(SET, ...parts);
}

/** Tag, length, value: DER's one form. Lengths here stay below 64 KiB. */
function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  const length = bytes < 0x80 ? [bytes] : bytes < 0x100 ? [0x81, bytes] : [0x82, bytes >>> 8, bytes & 0xff];
  return Buffer.concat([Buffer.of(tag, ...length), ...parts]);
}
