import type { ServerProcess } from '../support/server-process.ts';
import type { Ran } from './in-process.ts';

/** What two clients said without what differs between two servers, or two runs: ids, ports, sizes, times. */
export function normalized({ code, stdout, stderr }: Ran, server: ServerProcess, isProtobuf: boolean): Ran {
  const shown = isProtobuf ? withoutHeader(stdout) : stdout;
  return { code, stdout: withoutIds(shown, server), stderr: withoutIds(withoutNoise(stderr), server) };
}

function withoutIds(text: string, server: ServerProcess): string {
  return (
    text
      .replaceAll(server.endpoint, '<server>')
      .replace(/127\.0\.0\.1:\d{4,5}(?!\d)/g, '<peer>')
      .replace(/\b[0-9a-f]{14,16}\b/g, '<id>')
      .replace(/\b\d{14,20}\b/g, '<id>')
      // etcdctl 3.5 does not know what 3.6 and 3.7 told more.
      .replace(
        /,"(?:storageVersion|hash_revision|downgradeInfo|dbSizeQuota|dbSizeInUse)":(?:"[^"]*"|\{[^}]*\}|\d+)/g,
        '',
      )
      // HashKV is of the leases' ids, too.
      .replace(/\b\d{7,10}\b/g, '<hash>')
      .replace(/remaining\(\d+s\)|"ttl":2\d\d|"TTL" : 2\d\d/g, '<left>')
      // Raft's counters and the size of the file are the server's business.
      .replace(/"raft_term":\d+|"RaftTerm" : \d+|"raft\w*[iI]ndex":\d+|"Raft\w*Index" : \d+|"raftTerm":\d+/g, '<raft>')
      .replace(/"dbSize\w*":\d+|"DBSize" : \d+|\d+(\.\d)? [kMG]B/g, '<size>')
      .replace(/(<size>, (?:true|false), (?:true|false)), \d+, \d+, \d+/g, '$1, <raft>')
      .replace(/(<size> .*?(?:true|false) .*?(?:true|false)).*$/gm, '$1 <raft>')
      .replace(/\d+(\.\d+)?(ms|µs|Âµs)/g, '<time>')
      // Tables: Debian's etcdctl 3.5 draws lines, others, and we, ASCII.
      .replace(/[â]\x94[\x80-\xbf]/g, (corner) => (corner.endsWith('\x80') ? '-' : corner.endsWith('\x82') ? '|' : '+'))
      .replace(/-+/g, '-')
      .replace(/ +/g, ' ')
  );
}

/** An answer in protobuf without its first field, which has the ids. */
function withoutHeader(text: string): string {
  return text.startsWith('\n') ? text.slice(2 + text.charCodeAt(1)) : text;
}

/** zap's lines of etcdctl, and our hints below an error. */
function withoutNoise(text: string): string {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('{"level"') && !(line.startsWith('(') && line.includes('--endpoints')))
    .join('\n');
}
