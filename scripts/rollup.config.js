// What is published, from what tsc wrote: dist/, in few files because each one that Node loads takes as long as half a
// millisecond, in every process that imports shmkit; and index.d.ts, one page with the whole public surface.
import { readFileSync } from 'node:fs';

import { dts } from 'rollup-plugin-dts';
import ts from 'typescript';

const COMPILED = '.cache/tsc';
/** Its exports are in the order of the guides, and so are the declarations of index.d.ts. */
const ENTRY = 'index.ts';

/** The file that a module gets into, if it is not only part of an entry. */
function chunkOf(id) {
  if (/\/common\/(?:native|errors)\.js$/.test(id)) return 'loader'; // binding.js needs them before all others
  return /\/src\/(?!cli\/|pool\/worker\.js)/.test(id) ? 'shmkit' : undefined;
}

const parse = (path, text) => ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);

/** The specifiers of all `export { … }` statements, in their order. */
function exportsOf(file) {
  const statements = file.statements.filter((it) => ts.isExportDeclaration(it));
  return statements.flatMap(({ exportClause }) => [...(exportClause?.elements ?? [])]);
}

/** The names of the types that a declaration mentions. */
function mentionedIn(declaration) {
  const names = new Set();
  const visit = (node) => {
    let name;
    if (ts.isTypeReferenceNode(node)) name = node.typeName;
    else if (ts.isExpressionWithTypeArguments(node)) name = node.expression;
    else if (ts.isTypeQueryNode(node)) name = node.exprName;
    if (name !== undefined) names.add(name.getText());
    ts.forEachChild(node, visit);
  };
  visit(declaration);
  return names;
}

/**
 * Sorts the declarations of index.d.ts into the order in which index.ts exports them, each with its comments, and exports them as
 * index.ts does. One that is not exported is right before the first one that mentions it.
 */
function sortDeclarations() {
  return {
    name: 'sort-declarations',
    renderChunk(code, { fileName }) {
      const file = parse(fileName, code);
      const [first, declarations] = [[], new Map()];
      for (const statement of file.statements) {
        const text = statement.getFullText().trim();
        const name = statement.name?.text;
        if (ts.isImportDeclaration(statement)) first.push(text);
        else if (name !== undefined)
          declarations.set(name, [...(declarations.get(name) ?? []), { statement, text }]);
      }
      const localNames = new Map(
        exportsOf(file).map(({ name, propertyName }) => [name.text, (propertyName ?? name).text]),
      );
      const exported = new Set(localNames.values());
      const sorted = [];
      const add = (name) => {
        const parts = declarations.get(name) ?? [];
        declarations.delete(name);
        const mentioned = parts.flatMap(({ statement }) => [...mentionedIn(statement)]);
        mentioned.filter((it) => !exported.has(it)).forEach(add);
        sorted.push(...parts.map(({ text }) => text));
      };
      const exports = { values: [], types: [] };
      for (const specifier of exportsOf(parse(ENTRY, readFileSync(ENTRY, 'utf8')))) {
        const { text } = specifier.name;
        const local = localNames.get(text);
        if (local === undefined) this.error(`${fileName} does not export ${text}, as ${ENTRY} does`);
        add(local);
        // A class of which only the type is exported must not look as if it could be imported.
        const { values, types } = exports;
        (specifier.parent.parent.isTypeOnly ? types : values).push(
          local === text ? text : `${local} as ${text}`,
        );
      }
      for (const name of declarations.keys()) add(name);
      const last = [
        `export { ${exports.values.join(', ')} };`,
        `export type { ${exports.types.join(', ')} };`,
      ];
      return { code: `${[first.join('\n'), ...sorted, last.join('\n')].join('\n\n')}\n`, map: null };
    },
  };
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
    plugins: [dts(), sortDeclarations()],
  },
];
