import { defineConfig } from 'rolldown';

/*
 * The program as it is run (bin/kedge): our sources and the packages, bundled into some files of which a command loads
 * what it needs. Finding and reading five hundred small files, and linking them as ES modules, was two thirds of what a
 * start cost. CommonJS, because Node.js loads it in half the time, and as it is written, neither squeezed nor renamed:
 * that would gain nothing.
 *
 * What is a file of its own at run time:
 *  - each thread's entry, by the name after which the sources ask for it beside themselves;
 *  - better-sqlite3, for the library that it loads;
 *  - gathering-vfs.so, which bin/prepare puts there.
 */
export default defineConfig({
  input: {
    main: 'src/main.ts',
    thread: 'src/log/sqlite/thread.ts',
    'snapshot-thread': 'src/log/sqlite/snapshot-thread.ts',
    'password-thread': 'src/server/passwords/password-thread.ts',
  },
  platform: 'node',
  // The second is what pg would use if it were there.
  external: ['better-sqlite3', 'pg-native'],
  output: {
    format: 'cjs',
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
    sourcemap: true,
    // Stacks name the sources (src/ctl/source-stacks.ts); nobody needs their text for it.
    sourcemapExcludeSources: true,
  },
  plugins: [
    {
      name: 'commonjs-folder',
      generateBundle() {
        this.emitFile({ type: 'asset', fileName: 'package.json', source: '{ "type": "commonjs" }\n' });
      },
    },
  ],
});
