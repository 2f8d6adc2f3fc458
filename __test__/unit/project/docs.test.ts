import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import test from 'ava';

import { ownDevShm } from '../../fixtures/own-dev-shm.js';
import { run } from '../../fixtures/run.js';
import { compiled, SOURCE_MAPS } from '../../fixtures/typescript.js';

// Every example of the documentation runs: the blocks of a page one after the other, each in a process of its
// own, in one /dev/shm. A `text` block says what the one before it prints. A block that begins with `// NAME.js`
// or `# NAME.py` is a file of that name for those after it. `python3` is one with numpy and shmkit.
const root = fileURLToPath(new URL('../../..', import.meta.url));
const python = path.join(root, '.cache/venv/bin/python3');
const pages = [
  'README.md',
  ...fs
    .readdirSync(path.join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

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
    const files = all.flatMap(({ language, code }, index) => {
      if (language === 'text') return [];
      const [, name = `${index}.${language === 'js' ? 'ts' : 'py'}`] =
        /^(?:\/\/|#) (\w+\.(?:js|py))\n/.exec(code) ?? [];
      const file = path.join(folder, name);
      fs.writeFileSync(file, code);
      return [file];
    });
    const steps = await Promise.all(
      files.map(async (file) => {
        if (file.endsWith('.py')) return `"${python}" "${file}"`;
        // TypeScript only for `using`, which Node 20 does not know yet.
        const program = file.endsWith('.ts') ? await compiled(pathToFileURL(file)) : file;
        return `"${process.execPath}" ${SOURCE_MAPS} "${program}"`;
      }),
    );
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

/** They are made into other errors, or belong to a test. */
const UNSEEN = new Set(['ERR_SHM_ABORTED', 'ERR_SHM_NOT_A_TEST']);

test('every code of an error is in the documentation, and none that there is not', (t) => {
  const codes = (files: string[]): Set<string> => {
    const texts = files.map((file) => fs.readFileSync(path.join(root, file), 'utf8'));
    return new Set(texts.flatMap((text) => text.match(/\bERR_SHM_[A-Z_]*[A-Z]/g) ?? []));
  };
  const sources = ['src', 'crates']
    .flatMap((folder) =>
      fs
        .readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
        .map((file) => `${folder}/${file}`),
    )
    .filter((file) => /\/src\/.*\.rs$|^src\/.*\.(ts|py)$/.test(file));
  const [known, told] = [codes(sources), codes(pages)];
  t.deepEqual(
    [...known].filter((code) => !told.has(code) && !UNSEEN.has(code)),
    [],
  );
  t.deepEqual(
    [...told].filter((code) => !known.has(code)),
    [],
  );
});
