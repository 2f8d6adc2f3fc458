/** The files that take longest begin first, so that no processor waits for the last one. */
const LONGEST = [
  'unit/ownership/ownership',
  'unit/project/flights',
  'unit/project/bench',
  'unit/cli/cli',
  'stress/lifetime',
  'interop/python-binding',
  'stress/dicts',
  'unit/project/bench-compare',
  'unit/pool/pool-ends',
  'unit/pool/pool',
  'unit/project/docs',
  'unit/manager/manager-input',
  'stress/locks',
  'stress/misuse',
];

const rank = (file) => {
  const index = LONGEST.findIndex((name) => file.endsWith(`/${name}.test.ts`));
  return index === -1 ? LONGEST.length : index;
};

export default {
  files: ['__test__/**/*.test.ts'],
  extensions: { ts: 'module' },
  // Not as a flag: worker processes of the pools' tests would have it, too.
  require: ['./scripts/typescript/register.js'],
  nodeArguments: ['--expose-gc'],
  sortTestFiles: (a, b) => rank(a) - rank(b),
  timeout: '120s',
  concurrency: 3,
  workerThreads: false,
};
