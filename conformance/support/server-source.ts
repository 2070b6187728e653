/**
 * What stands in the server's source, read by the TypeScript parser: the suite knows the server from outside only, but
 * the reference page must name every argument and every error text that is there.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** Folders whose arguments and errors reach a client. */
const FOLDERS = ['server/amqp', 'server/broker', 'server/routing', 'codegen/runtime'];

/** Functions and classes that make an error for a client; one of the arguments is its text. */
const ERROR_MAKERS = new Set([
  'preconditionFailed',
  'accessRefused',
  'notAllowed',
  'notImplemented',
  'channelError',
  'commandInvalid',
  'unexpectedFrame',
  'strayFrame',
  'BrokerError',
  'ProtocolError',
  'WireError',
]);

/** A text says something; an argument without a blank is a code or a kind of thing. */
const IS_TEXT = /[a-z] |[ ][a-z]/;

/** What the source says. */
export interface ServerSource {
  /** Every literal text; what is filled in stands as `{}`, and literals that are joined by `+` are one. */
  readonly texts: ReadonlySet<string>;
  /** Those that are the text of an error. */
  readonly errorTexts: ReadonlySet<string>;
}

/** Reads the server's source files, tests left out, below the root of the repository. */
export function readServerSource(root: string): ServerSource {
  const texts = new Set<string>();
  const errorTexts = new Set<string>();
  for (const file of sourceFiles(root)) {
    const visit = (node: ts.Node): void => {
      const text = textOf(node);
      if (text !== null) texts.add(text);
      for (const argument of errorArguments(node)) errorTexts.add(argument);
      ts.forEachChild(node, visit);
    };
    visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest));
  }
  return { texts, errorTexts };
}

/** Names of arguments and headers among the texts: `x-match`, `alternate-exchange`. */
export function argumentNames({ texts }: ServerSource): string[] {
  return [...texts].filter((text) => /^(x-[a-z-]+[a-z]|alternate-exchange)$/.test(text)).sort();
}

/**
 * Whether a text of the page, `no queue '{name}' in vhost '{vhost}'`, is one of the source, `no {}`, or holds it.
 * What stands in braces is filled in by either side.
 */
export function isSameText(onPage: string, inSource: string): boolean {
  if (patternOf(onPage, '^', '$').test(inSource)) return true;
  const isTelling = longestPiece(inSource).length >= TELLING_LENGTH;
  return patternOf(inSource, isTelling ? '' : '^', isTelling ? '' : '$').test(onPage);
}

/** A piece of a text that is so long says which text it is. */
const TELLING_LENGTH = 12;
const FILLED_IN = /\{[^{}]*\}/;

function patternOf(text: string, before: string, behind: string): RegExp {
  const pieces = text
    .split(FILLED_IN)
    .map((piece) => piece.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(before + pieces.join('.*') + behind, 's');
}

function longestPiece(text: string): string {
  const pieces = text.split(FILLED_IN);
  return pieces.reduce((longest, piece) => (piece.length > longest.length ? piece : longest), '');
}

function sourceFiles(root: string): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter(
        (path) => path.endsWith('.ts') && !/\.test\.ts$|(^|\/)(testdata|testing)\//.test(path),
      )
      .map((path) => join(root, folder, path)),
  );
}

/** The texts that a call or `new` of an error maker is given. */
function errorArguments(node: ts.Node): string[] {
  if (!ts.isCallExpression(node) && !ts.isNewExpression(node)) return [];
  if (!ts.isIdentifier(node.expression) || !ERROR_MAKERS.has(node.expression.text)) return [];
  const given = (node.arguments ?? []).map(textOf);
  return given.filter((text) => text !== null).filter((text) => IS_TEXT.test(text));
}

/** The text of a literal, of a template or of a sum of them; null for any other expression. */
function textOf(node: ts.Node): string | null {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map(({ literal }) => `{}${literal.text}`).join('');
  }
  if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.PlusToken) {
    return null;
  }
  const [left, right] = [textOf(node.left), textOf(node.right)];
  return left === null && right === null ? null : `${left ?? '{}'}${right ?? '{}'}`;
}
