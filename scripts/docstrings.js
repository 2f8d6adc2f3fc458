// `node scripts/docstrings.js [FILE]`: checks that each declaration of index.d.ts, and each public member of one, has a
// docstring. Prints a line for each violation.
import { readFileSync } from 'node:fs';

import ts from 'typescript';

const path = process.argv[2] ?? 'index.d.ts';
const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
const violations = [];

const isDeclaration = (node) =>
  ts.isClassDeclaration(node) ||
  ts.isInterfaceDeclaration(node) ||
  ts.isTypeAliasDeclaration(node) ||
  ts.isFunctionDeclaration(node) ||
  ts.isVariableStatement(node);

/** Whether the node is a member of a class, an interface or an object type that users can see. */
function isPublicMember(node) {
  if (!ts.isClassElement(node) && !ts.isTypeElement(node)) return false;
  if (ts.isConstructorDeclaration(node)) return false;
  if (node.name !== undefined && ts.isPrivateIdentifier(node.name)) return false;
  const modifiers = ts.getCombinedModifierFlags(node);
  return (modifiers & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) === 0;
}

/** Whether a docstring says what it is; tags alone do not. */
function hasDocstring(node) {
  return ts
    .getJSDocCommentsAndTags(node)
    .some((it) => ts.isJSDoc(it) && ts.getTextOfJSDocComment(it.comment)?.trim());
}

/** The node's name, or how it begins. */
const nameOf = (node) => (node.name ?? node).getText().split('\n')[0];

function check(node, owners) {
  const isChecked = isDeclaration(node) || isPublicMember(node);
  const names = isChecked ? [...owners, nameOf(node)] : owners;
  if (isChecked && !hasDocstring(node)) {
    const { line } = file.getLineAndCharacterOfPosition(node.getStart());
    violations.push(`${file.fileName}:${line + 1}: ${names.join('.')} has no docstring`);
  }
  ts.forEachChild(node, (child) => check(child, names));
}

const declarations = file.statements.filter(isDeclaration);
for (const declaration of declarations) check(declaration, []);
if (declarations.length === 0) violations.push(`${path}: there are no declarations`);
for (const violation of violations) console.error(violation);
process.exitCode = violations.length > 0 ? 1 : 0;
