// One page with the whole public surface: index.d.ts, from what tsc wrote beside the code.
import { dts } from 'rollup-plugin-dts';

export default {
  input: 'dist/index.d.ts',
  output: {
    file: 'index.d.ts',
    banner: '// Made by `npm run build` from index.ts and src/: the whole public surface on one page.',
  },
  external: /^node:/,
  plugins: [dts()],
};
