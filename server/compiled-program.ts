/**
 * The program as it is shipped: one file of JavaScript, and beside it what V8 made of that when it was bundled.
 *
 * Node.js parses and compiles a megabyte of source at every start; read back from where V8 left it, that is most of a
 * quarter of the start's time. V8 looks itself whether what lies there is of its version, of its flags and of this
 * source; whatever is not is compiled as ever. Bench: row start.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import type * as Program from './program.ts';

/** What Node.js hands to a module of the older form, which the file is: an expression that makes a function of these. */
type ModuleFunction = (
  exports: object,
  require: NodeJS.Require,
  module: { exports: object },
  filename: string,
  dirname: string,
) => void;

/** The program, compiled and not begun. */
export class CompiledProgram {
  private readonly path: string;
  private readonly script: Script;

  /** Reads it from `directory`; without what V8 left there where `isNew`. */
  constructor(directory: string, isNew: boolean) {
    /*
     * Objects of a server live for a turn of the loop: a young generation of 2 x 1 MiB is enough for them. V8 would let
     * it grow to 32 MiB under load, to 8 MiB while code is loaded, and keep it. So this comes before anything large.
     */
    setFlagsFromString('--semi-space-growth-factor=1');
    this.path = join(directory, 'program.js');
    const cachedData = isNew ? undefined : readIfThere(codePath(directory));
    this.script = new Script(readFileSync(this.path, 'latin1'), {
      filename: this.path,
      ...(cachedData === undefined ? {} : { cachedData }),
    });
  }

  /** Whether V8 took what was compiled before. */
  get isFromCode(): boolean {
    return this.script.cachedDataRejected === false;
  }

  /** Loads the program, once. */
  load(): typeof Program {
    const { path } = this;
    const define = this.script.runInThisContext() as ModuleFunction;
    const module = { exports: {} };
    define(module.exports, createRequire(path), module, path, dirname(path));
    return module.exports as typeof Program;
  }

  /** What V8 has compiled of it by now. */
  code(): Buffer {
    return this.script.createCachedData();
  }
}

/** Where it lies in `directory` what V8 compiled; another Node.js looks for another file. */
export function codePath(directory: string): string {
  return join(directory, `program.${process.version}-${process.arch}.code`);
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
