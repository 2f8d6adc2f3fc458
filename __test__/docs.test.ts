import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import test from 'ava';

import { ownDevShm } from './lifetime/namespace.js';
import { run } from './lifetime/run.js';

// Every example of the documentation runs: the blocks of a page one after the other, each in a process of its
// own, in one /dev/shm. A `text` block says what the one before it prints. A block that begins with `// NAME.js`
// or `# NAME.py` is a file of that name for those after it. `python3` is one with numpy and shmkit.
const root = fileURLToPath(new URL('..', import.meta.url));
const python = path.join(root, '.cache/venv/bin/python3');
const pages = ['README.md', ...fs.readdirSync(path.join(root, 'docs')).map((name) => `docs/${name}`)];

interface Block {
  language: string;
  code: string;
}

function blocks(page: string): Block[] {
  const text = fs.readFileSync(path.join(root, page), 'utf8');
  return [...text.matchAll(/^```(js|python|text)\n([^]*?)^```$/gm)].map((match) => ({
    language: match[1]!,
    code: match[2]!,
  }));
}

for (const page of pages) {
  const all = blocks(page);
  if (!all.some(({ language }) => language === 'js')) continue;
  test(`the examples of ${page} print what it says`, async (t) => {
    const folder = path.join(root, '.cache/docs', path.basename(page, '.md'));
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder, { recursive: true });
    const steps = all.flatMap(({ language, code }, index) => {
      if (language === 'text') return [];
      const [, name = `${index}.${language === 'js' ? 'ts' : 'py'}`] =
        /^(?:\/\/|#) (\w+\.(?:js|py))\n/.exec(code) ?? [];
      const file = path.join(folder, name);
      fs.writeFileSync(file, code);
      // TypeScript only for `using`, which Node 20 does not know yet.
      return language === 'js' ? [`"${process.execPath}" --import=tsx "${file}"`] : [`"${python}" "${file}"`];
    });
    const expected = all.filter(({ language }) => language === 'text').map(({ code }) => code);
    const [command, args] = ownDevShm('256m', [
      'sh',
      '-ec',
      [`PATH='${path.dirname(python)}':"$PATH"`, ...steps].join('\n'),
    ]);
    const { code, output } = await run(command, args);
    t.deepEqual({ code, output }, { code: 0, output: expected.join('') });
  });
}
