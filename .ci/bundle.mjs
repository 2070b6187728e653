// Puts the compiled server with the packages it needs at once into few files: dist/firnmq/, the program that users run.
// Node.js takes a millisecond to find and link a module, and keeps what it knows of each: with 250 of them the server
// started half as fast again, in 8 MB more. What is imported later (the HTTP pages, the tools) stays in files of its own.
//
// The modules in dist/server stay the ones that are tested one by one, and those that index.js exports.
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const outdir = join(root, 'dist', 'firnmq');

rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: [join(root, 'dist', 'server', 'main.js')],
  outdir,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  sourcemap: true,
  logLevel: 'warning',
  // Loaded by few servers, and late.
  external: ['fastify', 'pino-pretty'],
  // Packages in the older form ask for Node's own modules by require.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
});
