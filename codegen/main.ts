/**
 * The command: reads the spec, generates the code, writes it or compares it with what is there.
 *
 *     codegen [--spec FILE]... [--out DIR] [--check]
 *
 * Exit codes: 0 done, 1 the spec does not hold together or the folder is not what the spec says, 2 the
 * command line is wrong.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { EmitError, emitFiles } from './emit.ts';
import { mergeSpecs } from './merge-specs.ts';
import { buildModel } from './model.ts';
import { findDrift, writeDirectory } from './output-directory.ts';
import { planCode } from './plan.ts';
import { readSpec, type SpecElement } from './read-spec.ts';
import { SpecError } from './spec-error.ts';

const REPOSITORY = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const DEFAULT_DIRECTORY = join(REPOSITORY, 'generated');
/** The base first, then what lies over it, in this order. */
const DEFAULT_SPECS: readonly string[] = ['amqp-0-9-1.xml', 'rabbitmq.xml', 'access.xml'].map(
  (name) => join(REPOSITORY, 'spec', name),
);

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

interface Options {
  readonly spec?: readonly string[];
  readonly out: string;
  readonly check: boolean;
}

function main(argv: readonly string[]): void {
  const command = new Command('codegen')
    .description('Generates the protocol library from a description in the AMQP XML schema.')
    .option('--spec <file>', 'spec file; given again: overlays over the first', collect)
    .option('--out <dir>', 'folder to write', DEFAULT_DIRECTORY)
    .option('--check', 'write nothing; fail where the folder is not what the spec says', false)
    .allowExcessArguments(false)
    .exitOverride();
  try {
    command.parse([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander has printed help (its exit code is 0) or the error.
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
    return;
  }
  try {
    generate(command.opts<Options>());
  } catch (error) {
    if (!(error instanceof SpecError || error instanceof EmitError)) throw error;
    console.error(`codegen: ${error.message}`);
    process.exitCode = EXIT_FAILED;
  }
}

function generate({ spec, out, check }: Options): void {
  const specs = spec ?? DEFAULT_SPECS;
  const directory = resolve(out);
  const [base, ...overlays] = specs.map(readSpecFile);
  if (base === undefined) throw new SpecError('--spec', 'no file given');
  const model = buildModel(mergeSpecs(base, overlays));
  const plan = planCode(
    model,
    specs.map((path) => basename(path)),
  );
  const files = emitFiles(plan, directory);
  if (!check) {
    writeDirectory(directory, files);
    return;
  }
  const drift = findDrift(directory, files);
  if (drift.length === 0) return;
  console.error(`codegen: ${out} is not what ${plan.sources} says; run codegen`);
  for (const sentence of drift) console.error(`  ${sentence}`);
  process.exitCode = EXIT_FAILED;
}

function readSpecFile(path: string): SpecElement {
  return readSpec(readText(path), basename(path));
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new SpecError(path, error instanceof Error ? error.message : String(error));
  }
}

function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

main(process.argv.slice(2));
