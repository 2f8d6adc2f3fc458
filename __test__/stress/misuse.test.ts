import { shareOfStress } from './share.js';

shareOfStress(
  'every misuse, beside a process that writes random bytes, fails with a clear error',
  'misuse',
  10,
  /^\d+ misuses of \d+ kinds/,
);
