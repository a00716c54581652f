import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { option, text } from '../base/options.ts';

const GROUP = 'Where the data is';

/** Where the store is, for every command that needs one. */
export const STORE_LOCATION = {
  dataDir: option(text('path'), {
    flag: 'data-dir',
    default: 'kedge-data',
    group: GROUP,
    help: 'the folder with everything; made when missing, locked while in use',
  }),
  store: option(text('url'), {
    flag: 'store',
    default: '',
    defaultText: 'sqlite://<data-dir>/kedge.db',
    group: GROUP,
    help: 'the engine as one URL, such as sqlite:///var/lib/kedge/kedge.db?synchronous=full',
  }),
} as const;

/** --store, or the file in --data-dir, its path escaped as in any URL. */
export function storeUrlOf(options: { readonly dataDir: string; readonly store: string }): string {
  if (options.store !== '') return options.store;
  return `sqlite://${pathToFileURL(resolve(options.dataDir, 'kedge.db')).pathname}`;
}
