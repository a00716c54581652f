import { badArguments } from './exit-error.ts';

/** Where a server is, as the user wrote it and as gRPC dials it. */
export interface Endpoint {
  /** As written: it is shown so. */
  readonly written: string;
  /** `dns:localhost:2379`, `unix:/run/kedge.sock`. */
  readonly target: string;
  /** `optional`: with TLS when the command's flags ask for it. */
  readonly tls: 'required' | 'optional' | 'none';
}

/** `host:port`, `http://…`, `https://…`, `unix:…`, `unixs:…`, as clientv3 takes them. */
export function parseEndpoint(written: string): Endpoint {
  const [, scheme = '', rest = written] = /^([a-z]+):(?:\/\/)?(.*)$/s.exec(written) ?? [];
  switch (scheme) {
    case 'unix':
    case 'unixs':
      return { written, target: `unix:${rest}`, tls: scheme === 'unixs' ? 'required' : 'none' };
    case 'http':
    case 'https': {
      const authority = rest.replace(/\/.*$/s, '');
      if (authority === '') throw badArguments(`endpoint "${written}" has no host; write it as http://127.0.0.1:2379`);
      return { written, target: `dns:${withPort(authority, scheme)}`, tls: scheme === 'https' ? 'required' : 'none' };
    }
    default:
      if (/:\/\//.test(written)) {
        throw badArguments(`endpoint "${written}" is neither host:port nor a http, https, unix or unixs URL`);
      }
      return { written, target: `dns:${withHost(written)}`, tls: 'optional' };
  }
}

/** `:2379` is this machine, as in Go. */
function withHost(address: string): string {
  return address.startsWith(':') ? `localhost${address}` : address;
}

function withPort(authority: string, scheme: 'http' | 'https'): string {
  const hasPort = /:\d+$/.test(authority);
  return withHost(hasPort ? authority : `${authority}:${scheme === 'https' ? 443 : 80}`);
}
