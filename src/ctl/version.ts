import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, ExitCode } from '../base/command.ts';

/** kedge's own version, from package.json. */
export function kedgeVersion(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      if (isManifest(manifest)) return manifest.version;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return 'unknown';
}

function isManifest(value: unknown): value is { readonly version: string } {
  return typeof value === 'object' && value !== null && 'name' in value && value.name === 'kedge' && 'version' in value;
}

/** `kedge version`: this program, the etcd whose API it speaks, and what it runs on. */
export function versionCommand(apiVersion: string, print: (line: string) => void): Command<Record<string, never>> {
  return {
    name: 'version',
    summary: 'print the versions of kedge, of the etcd API it speaks, and of Node.js',
    operands: [],
    options: {},
    async run() {
      print(`kedge ${kedgeVersion()}`);
      print(`etcd API ${apiVersion}`);
      print(`Node.js ${process.version} ${process.platform}/${process.arch}`);
      return ExitCode.ok;
    },
  };
}
