import { copyFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { codePath, PART_NAMES } from './compiled-program.ts';
import { spawnNode } from './testing/spawn-node.ts';
import { serverMain } from './testing/start-server-process.ts';
import { temporaryDirectory } from './testing/temporary-directory.ts';

const bundle = dirname(serverMain);
const subject = new URL('./compiled-program.js', import.meta.url).href;
/** What `npm start` tells Node.js. */
const START_FLAGS = ['--v8-pool-size=1'];

/**
 * What a process with `flags` says of the program in `directory`: that its parts are there, and whether their code is what
 * was compiled before.
 */
async function loadIn(directory: string, flags: readonly string[]): Promise<string> {
  const code = `import { CompiledProgram } from ${JSON.stringify(subject)};
    const program = new CompiledProgram(${JSON.stringify(directory)}, false);
    const { runProgram } = program.load('program');
    const { createHttpApp } = program.load('http-app');
    console.log(typeof runProgram, typeof createHttpApp, program.isFromCode);`;
  const child = spawnNode([...flags, '--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return text(child.stdout!);
}

t.test('what npm start runs was compiled with the bundle', async (t) => {
  t.equal(await loadIn(bundle, START_FLAGS), 'function function true\n');
});

t.test('under other flags of V8 the program is compiled anew', async (t) => {
  t.equal(await loadIn(bundle, ['--max-lazy', ...START_FLAGS]), 'function function false\n');
});

t.test(
  'without code, or with another file in its place, the program is compiled anew',
  async (t) => {
    const directory = temporaryDirectory(t);
    for (const name of PART_NAMES) {
      copyFileSync(join(bundle, `${name}.js`), join(directory, `${name}.js`));
    }
    writeFileSync(join(directory, 'package.json'), '{ "type": "commonjs", "version": "1.2.3" }');
    t.equal(await loadIn(directory, START_FLAGS), 'function function false\n');
    for (const name of PART_NAMES) {
      writeFileSync(join(directory, basename(codePath(directory, name))), 'no code of V8');
    }
    t.equal(await loadIn(directory, START_FLAGS), 'function function false\n');
  },
);
