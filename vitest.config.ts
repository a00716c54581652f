import { defineConfig } from 'vitest/config';

// Tests run on what tsc wrote, so that they exercise the files that ship (worker threads included).
export default defineConfig({
  test: {
    include: [`${process.env['KEDGE_DIST'] ?? 'dist'}/**/*.test.js`],
    exclude: ['node_modules/**'],
    setupFiles: [`${process.env['KEDGE_DIST'] ?? 'dist'}/test/support/fixed-seed.js`],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Most wait for servers more than they compute: one more than the two cores that all fits on.
    maxWorkers: 3,
  },
});
