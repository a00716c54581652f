import { option } from '../../base/options.ts';
import { badArguments } from '../exit-error.ts';
import { word } from '../global-options.ts';
import type { ClientHost } from '../host.ts';

/** `--decode`, for commands that print values. kedge's own. */
export const DECODE_OPTION = {
  decode: option(word('how', 'k8s'), {
    flag: 'decode',
    default: '',
    defaultText: 'as they are',
    group: 'Output',
    fromEnvironment: false,
    help: 'k8s: values in Kubernetes’ storage formats (protobuf, JSON) readable; with -w simple',
  }),
} as const;

export type ValueDecoder = (value: Uint8Array) => string | Uint8Array;

/** What `--decode` names; undefined: values stay as they are. */
export async function decoderOf(written: string, host: ClientHost): Promise<ValueDecoder | undefined> {
  if (written === '') return undefined;
  if (written !== 'k8s') throw badArguments(`--decode: "${written}" is not k8s`);
  const { kubernetesDecoder } = await import('./kubernetes.ts');
  return kubernetesDecoder({ colours: host.isTerminal && (host.environment['NO_COLOR'] ?? '') === '' });
}
