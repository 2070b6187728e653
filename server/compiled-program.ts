/**
 * The program as it is shipped: a file of JavaScript for each of its parts, and beside it what V8 made of that when it was
 * bundled.
 *
 * Node.js parses and compiles a megabyte of source at every start; read back from where V8 left it, that is most of a
 * quarter of the start's time. A part that is loaded later would hold the event loop for as long. V8 looks itself whether
 * what lies there is of its version, of its flags and of this source; whatever is not is compiled as ever. Bench: row
 * start.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import type * as HttpApp from './http/http-app.ts';
import type * as Program from './program.ts';

/** What each part of the program exports; all but the first are loaded by those before them, when they are needed. */
interface Parts {
  readonly program: typeof Program;
  readonly 'http-app': typeof HttpApp;
}

/** The name of a part, and of its file. */
export type PartName = keyof Parts;

/** All parts. */
export const PART_NAMES: readonly PartName[] = ['program', 'http-app'];

/** What Node.js hands to a module of the older form, which a part is: an expression that makes a function of these. */
type ModuleFunction = (
  exports: object,
  require: (id: string) => unknown,
  module: { exports: object },
  filename: string,
  dirname: string,
) => void;

/** The program, in parts. */
export class CompiledProgram {
  private readonly directory: string;
  private readonly isNew: boolean;
  private readonly scripts: Map<PartName, Script>;
  private readonly loaded: Map<PartName, object>;

  /** Reads it from `directory`; without what V8 left there where `isNew`. */
  constructor(directory: string, isNew: boolean) {
    /*
     * Objects of a server live for a turn of the loop: a young generation of 2 x 1 MiB is enough for them. V8 would let
     * it grow to 32 MiB under load, to 8 MiB while code is loaded, and keep it. So this comes before anything large.
     */
    setFlagsFromString('--semi-space-growth-factor=1');
    this.directory = directory;
    this.isNew = isNew;
    this.scripts = new Map();
    this.loaded = new Map();
  }

  /** Loads a part, once, and gives what it exports. What a part requires by the name of its file is another one. */
  load<Name extends PartName>(name: Name): Parts[Name] {
    const exports = this.loaded.get(name) ?? this.run(name);
    this.loaded.set(name, exports);
    return exports as Parts[Name];
  }

  /** Whether V8 took what was compiled before, of each part that is loaded. */
  get isFromCode(): boolean {
    return [...this.scripts.values()].every((script) => script.cachedDataRejected === false);
  }

  /** What V8 has compiled of a part by now; null when it is not loaded. */
  codeOf(name: PartName): Buffer | null {
    return this.scripts.get(name)?.createCachedData() ?? null;
  }

  private run(name: PartName): object {
    const path = join(this.directory, `${name}.js`);
    const cachedData = this.isNew ? undefined : readIfThere(codePath(this.directory, name));
    const script = new Script(readFileSync(path, 'latin1'), {
      filename: path,
      ...(cachedData === undefined ? {} : { cachedData }),
    });
    this.scripts.set(name, script);
    const requireModule = createRequire(path);
    const requireAny = (id: string): unknown => {
      const part = PART_NAMES.find((some) => id === `./${some}.js`);
      return part === undefined ? requireModule(id) : this.load(part);
    };
    const define = script.runInThisContext() as ModuleFunction;
    const module = { exports: {} };
    define(module.exports, Object.assign(requireAny, requireModule), module, path, dirname(path));
    return module.exports;
  }
}

/** Where it lies in `directory` what V8 compiled of a part; another Node.js looks for another file. */
export function codePath(directory: string, name: PartName): string {
  return join(directory, `${name}.${process.version}-${process.arch}.code`);
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
