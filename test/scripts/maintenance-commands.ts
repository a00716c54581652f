import type { EtcdClient } from '../support/client.ts';
import type { MembersResponse } from '../support/messages.ts';
import { splitFirst } from './kv-commands.ts';
import { showHeader } from './show.ts';

/** hashkv [REVISION] */
export async function hashKv(client: EtcdClient, text: string): Promise<string[]> {
  const answer = await client.call('Maintenance/HashKV', { revision: text === '' ? 0 : text });
  return [`${showHeader(answer.header)} hash ${answer.hash} compact_revision ${answer.compact_revision}`];
}

/** hash: its value depends on the store's file, so only that there is one. */
export async function hash(client: EtcdClient): Promise<string[]> {
  const answer = await client.call('Maintenance/Hash', {});
  return [`${showHeader(answer.header)} hash ${answer.hash === 0 ? 'none' : 'some'}`];
}

/** status: what does not depend on version, size and moment. */
export async function status(client: EtcdClient): Promise<string[]> {
  const answer = await client.call('Maintenance/Status', {});
  const leads = answer.leader === answer.header?.member_id;
  const sized = BigInt(answer.dbSize) >= BigInt(answer.dbSizeInUse) && answer.dbSizeInUse !== '0';
  const raft = [answer.raftIndex, answer.raftTerm, answer.raftAppliedIndex].every((number) => number !== '0');
  return [
    `${showHeader(answer.header)} leader ${leads ? 'itself' : 'another'} learner ${answer.isLearner} sizes ${sized} raft ${raft}`,
    ...answer.errors.map((error) => `  error ${error.replace(/\d{6,}/g, 'ID')}`),
  ];
}

/** alarm ACTION TYPE [MEMBER]: MEMBER 0 is every member, `self` this one. */
export async function alarm(client: EtcdClient, text: string): Promise<string[]> {
  const [action = 'GET', kind = 'NONE', member = '0'] = text.split(' ');
  const self = (await client.call('Cluster/MemberList', {})).header?.member_id ?? '0';
  const answer = await client.call('Maintenance/Alarm', {
    action: action.toUpperCase(),
    alarm: kind.toUpperCase(),
    memberID: member === 'self' ? self : member,
  });
  return [
    showHeader(answer.header),
    // In the order of a Go map.
    ...answer.alarms
      .map((raised) => `  ${raised.alarm} of ${raised.memberID === self ? 'self' : raised.memberID}`)
      .sort(),
  ];
}

/** defragment */
export async function defragment(client: EtcdClient): Promise<string[]> {
  return [showHeader((await client.call('Maintenance/Defragment', {})).header)];
}

/** move_leader ID|self */
export async function moveLeader(client: EtcdClient, text: string): Promise<string[]> {
  const self = (await client.call('Cluster/MemberList', {})).header?.member_id ?? '0';
  return [
    showHeader((await client.call('Maintenance/MoveLeader', { targetID: text === 'self' ? self : text })).header),
  ];
}

/** downgrade ACTION [VERSION] */
export async function downgrade(client: EtcdClient, text: string): Promise<string[]> {
  const [action = '', version = ''] = splitFirst(text);
  const answer = await client.call('Maintenance/Downgrade', { action: action.toUpperCase(), version });
  return [`${showHeader(answer.header)} version ${answer.version === '' ? 'none' : 'some'}`];
}

/** snapshot: its parts add up, and the last is the digest of all before. */
export async function snapshot(client: EtcdClient): Promise<string[]> {
  const parts = await client.collect('Maintenance/Snapshot', {});
  const { createHash } = await import('node:crypto');
  const digest = createHash('sha256');
  const blobs = parts.slice(0, -1);
  for (const part of blobs) digest.update(part.blob);
  const whole = parts.at(-1)?.blob.equals(digest.digest()) ?? false;
  let left = BigInt(blobs.reduce((sum, part) => sum + part.blob.length, 0));
  const counts = blobs.every((part) => {
    left -= BigInt(part.blob.length);
    return BigInt(part.remaining_bytes) === left;
  });
  const large = blobs.some((part) => part.blob.length > 64 * 1024);
  return [`digest ${whole} remaining ${counts} large ${large} header ${parts.some((part) => part.header !== null)}`];
}

/** member list | add URL | remove ID|self | update ID|self URL | promote ID|self */
export async function member(client: EtcdClient, text: string): Promise<string[]> {
  const list = await client.call('Cluster/MemberList', {});
  const self = list.header?.member_id ?? '0';
  const [verb, rest] = splitFirst(text);
  const [first = '', ...urls] = rest.split(' ');
  const id = first === 'self' ? self : first;
  switch (verb) {
    case 'list':
      return showMembers(await client.call('Cluster/MemberList', { linearizable: first === 'linearizable' }), self);
    case 'add':
      return showMembers(await client.call('Cluster/MemberAdd', { peerURLs: first === '' ? [] : [first] }), self);
    case 'remove':
      return showMembers(await client.call('Cluster/MemberRemove', { ID: id }), self);
    case 'update':
      return showMembers(await client.call('Cluster/MemberUpdate', { ID: id, peerURLs: urls }), self);
    case 'promote':
      return showMembers(await client.call('Cluster/MemberPromote', { ID: id }), self);
    default:
      throw new Error(`no member command ${verb}`);
  }
}

function showMembers(answer: MembersResponse, self: string): string[] {
  return [
    showHeader(answer.header),
    ...answer.members.map(
      (one) =>
        `  ${one.ID === self ? 'self' : 'another'} ${one.name} learner ${one.isLearner} peer urls ${one.peerURLs.length} client urls ${one.clientURLs.length}`,
    ),
  ];
}

/** health [SERVICE] */
export async function health(client: EtcdClient, text: string): Promise<string[]> {
  return [(await client.call('Health/Check', { service: text })).status];
}
