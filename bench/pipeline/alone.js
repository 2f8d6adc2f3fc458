// The process that does all of it alone: told how often, it says how many nanoseconds that took, and what came of it.
import { argument, waves } from './work.js';

const { count } = JSON.parse(process.argv[2] ?? '{}');
const input = Float64Array.from({ length: count }, (_, i) => argument(i));
const output = new Float64Array(count);

// Ctrl-C reaches the whole process group; the end of the channel says when to go.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());
process.on('message', (times) => {
  const begin = process.hrtime.bigint();
  for (let i = 0; i < times; i++) waves(input, output);
  const end = process.hrtime.bigint();
  process.send({ ns: Number(end - begin), sum: output.reduce((sum, value) => sum + value) });
});
process.send('ready');
