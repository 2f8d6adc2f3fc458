// What is published, from what tsc wrote: dist/, in few files because each one that Node loads takes as long as half a
// millisecond, in every process that imports shmkit; and index.d.ts, one page with the whole public surface.
import { dts } from 'rollup-plugin-dts';

const COMPILED = '.cache/tsc';

/** The file that a module gets into, if it is not only part of an entry. */
function chunkOf(id) {
  if (/\/common\/(?:native|errors)\.js$/.test(id)) return 'loader'; // binding.js needs them before all others
  return /\/src\/(?!cli\/|pool\/worker\.js)/.test(id) ? 'shmkit' : undefined;
}

export default [
  {
    input: {
      index: `${COMPILED}/index.js`,
      cli: `${COMPILED}/src/cli/main.js`,
      native: `${COMPILED}/src/common/native.js`,
      worker: `${COMPILED}/src/pool/worker.js`,
    },
    output: { dir: 'dist', chunkFileNames: '[name].js', manualChunks: chunkOf },
    external: (id) => /^[^./]/.test(id),
  },
  {
    input: `${COMPILED}/index.d.ts`,
    output: {
      file: 'index.d.ts',
      banner: '// Made by `npm run build` from index.ts and src/: the whole public surface on one page.',
    },
    external: /^node:/,
    plugins: [dts()],
  },
];
