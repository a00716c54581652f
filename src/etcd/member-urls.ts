/**
 * Whether etcd would take these for a member's peer URLs: at least one, each http(s) with host and port and without
 * a path, or unix(s). Source: NewURLs in etcd's client/pkg/types/urls.go.
 */
export function areMemberUrls(urls: readonly string[]): boolean {
  return urls.length > 0 && urls.every((url) => isMemberUrl(url.trim()));
}

function isMemberUrl(url: string): boolean {
  const match = /^([a-z]+):\/\/([^/?#\s]*)(\S*)$/i.exec(url);
  if (match === null) return false;
  const scheme = match[1]?.toLowerCase();
  if (scheme === 'unix' || scheme === 'unixs') return true;
  if (scheme !== 'http' && scheme !== 'https') return false;
  return match[3]?.startsWith('/') === false && /^(\[[0-9a-f:.%]+\]|[^:[\]]*):\d*$/i.test(match[2] ?? '');
}
