/**
 * From the plan to the text of the generated files: handlebars fills the templates, ts-morph formats,
 * drops the imports that a file does not use, orders the rest, and type-checks the whole under the
 * repository's compiler options.
 *
 * Nothing is written to disk here, see output-directory.ts. The same plan gives the same bytes.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import Handlebars from 'handlebars';
import { type Diagnostic, IndentationText, Project, QuoteKind, ts } from 'ts-morph';
import { WIRE_TYPES } from './model.ts';
import type { Plan } from './plan.ts';

/** The compiled file is dist/codegen/emit.js; templates and runtime are read where their sources are. */
const REPOSITORY = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const TEMPLATES = join(REPOSITORY, 'codegen', 'templates');
const RUNTIME = join(REPOSITORY, 'codegen', 'runtime');

const DIAGNOSTICS_SHOWN_MAX = 10;

/** Generated code that does not compile: a mistake in the templates or in the plan. */
export class EmitError extends Error {
  constructor(diagnostics: readonly string[]) {
    const shown = diagnostics.slice(0, DIAGNOSTICS_SHOWN_MAX);
    super(`the generated code does not compile:\n${shown.join('\n')}`);
    this.name = 'EmitError';
  }
}

/**
 * Generates all files for `directory`, which need not exist: imports of the runtime are relative to it.
 *
 * @returns the texts by file name.
 * @throws EmitError when the result does not type-check.
 */
export function emitFiles(plan: Plan, directory: string): ReadonlyMap<string, string> {
  const project = new Project({
    tsConfigFilePath: join(REPOSITORY, 'tsconfig.json'),
    skipAddingFilesFromTsConfig: true,
    compilerOptions: {
      composite: false,
      noEmit: true,
      typeRoots: [join(REPOSITORY, 'node_modules', '@types')],
      // A spec without any method for one side leaves parameters of its dispatch unused.
      noUnusedParameters: false,
    },
    manipulationSettings: {
      indentationText: IndentationText.TwoSpaces,
      quoteKind: QuoteKind.Single,
    },
  });
  const sources = [...renderTemplates(plan, importPath(directory, RUNTIME))].map(([name, text]) =>
    project.createSourceFile(join(directory, name), text, { overwrite: true }),
  );
  for (const source of sources) {
    // It would also reorder the exports of index.ts, which has no imports.
    if (source.getImportDeclarations().length > 0) source.organizeImports();
    source.formatText({ indentSize: 2, semicolons: ts.SemicolonPreference.Insert });
  }
  const diagnostics = sources.flatMap((source) => source.getPreEmitDiagnostics());
  if (diagnostics.length > 0) throw new EmitError(diagnostics.map(describeDiagnostic));
  return new Map(sources.map((source) => [source.getBaseName(), source.getFullText()]));
}

function describeDiagnostic(diagnostic: Diagnostic): string {
  const message = diagnostic.getMessageText();
  const text = typeof message === 'string' ? message : message.getMessageText();
  return `${diagnostic.getSourceFile()?.getBaseName()}:${diagnostic.getLineNumber()}: ${text}`;
}

function renderTemplates(plan: Plan, runtime: string): ReadonlyMap<string, string> {
  const templates = loadTemplates();
  const render = (template: string, context: object): string => {
    const text = templates(template)({ sources: plan.sources, runtime, ...context });
    return `${text.trim()}\n`;
  };
  const files = new Map<string, string>();
  files.set('constants.ts', render('constants', plan));
  for (const owner of plan.classes) {
    const isHot = owner.methods.some((method) => method.accessors.length > 0);
    const title = `${isHot ? '@hot ' : ''}The methods of class ${owner.name}.`;
    files.set(`${owner.file}.ts`, render('class', { title, class: owner }));
    if (owner.properties === null) continue;
    const content = owner.properties;
    const propertiesTitle = `The content properties of class ${owner.name}.`;
    files.set(`${content.file}.ts`, render('properties', { title: propertiesTitle, content }));
  }
  files.set('dispatch.ts', render('dispatch', plan));
  files.set('metadata.ts', render('metadata', { ...plan, wireTypes: WIRE_TYPES }));
  const names = [...files.keys()].map((name) => basename(name, '.ts')).sort();
  files.set('index.ts', render('index', { files: names }));
  return files;
}

function loadTemplates(): (name: string) => Handlebars.TemplateDelegate {
  const handlebars = Handlebars.create();
  const read = (path: string): string => readFileSync(join(TEMPLATES, path), 'utf8');
  for (const file of readdirSync(join(TEMPLATES, 'partials'))) {
    handlebars.registerPartial(basename(file, '.hbs'), read(join('partials', file)));
  }
  // The one helper: text of the spec must not end the comment that it stands in.
  handlebars.registerHelper('comment', (text: string) => text.replaceAll('*/', '*\\/'));
  return (name) => handlebars.compile(read(`${name}.hbs`), { noEscape: true, strict: true });
}

function importPath(from: string, to: string): string {
  const path = relative(from, to).split(sep).join('/');
  return path.startsWith('.') ? path : `./${path}`;
}
