// Puts the compiled server with the packages it needs at once into one file, dist/firnmq/program.js, and beside it what
// V8 makes of that. Node.js takes a millisecond to find and link a module, and keeps what it knows of each: with 250 of
// them the server started half as fast again, in 8 MB more; and a quarter of what was left went into compiling.
// What users run is dist/firnmq/main.js, which loads the program (server/compiled-program.ts).
//
// The modules in dist/server stay the ones that are tested one by one, and those that index.js exports.
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const outdir = join(root, 'dist', 'firnmq');

const options = {
  outdir,
  bundle: true,
  // The older form of modules: Node.js runs it without the loader of the newer one, and V8's code can be kept.
  format: 'cjs',
  platform: 'node',
  target: 'node20.19',
  // Read back as Latin-1: one octet a character.
  charset: 'ascii',
  sourcemap: true,
  logLevel: 'warning',
  // Loaded by few servers, and late.
  external: ['fastify', 'pino-pretty'],
  // Code that V8 takes back cannot import.
  supported: { 'dynamic-import': false },
  define: { 'import.meta.dirname': '__dirname', 'import.meta.filename': '__filename' },
};

rmSync(outdir, { recursive: true, force: true });
await build({ ...options, entryPoints: [join(root, 'dist', 'server', 'main.js')] });
await build({
  ...options,
  entryPoints: [join(root, 'dist', 'server', 'program.js')],
  banner: { js: '(function (exports, require, module, __filename, __dirname) {' },
  footer: { js: '})' },
});
writeFileSync(join(outdir, 'package.json'), '{ "type": "commonjs" }\n');

const compiler = join(root, '.ci', 'compile-bundle.mjs');
const { status, stderr } = spawnSync(process.execPath, [compiler, outdir], { encoding: 'utf8' });
if (status !== 0) {
  process.stderr.write(`the bundle is not compiled: it will start more slowly\n${stderr}`);
}
