import { option, text } from '../base/options.ts';

/** Where the machine is read from, for the server as for the command. */
export const RESOURCES_ROOT = option(text('path'), {
  flag: 'resources-root',
  default: '/',
  group: 'The machine it runs on',
  help: "the folder that /proc and /sys are in, where a container has its host's elsewhere",
});
