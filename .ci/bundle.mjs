// Puts the compiled server with the packages it needs at once into one file, dist/firnmq/program.js, the HTTP side with
// its packages into another, http-app.js, and beside each what V8 makes of it. Node.js takes a millisecond to find and
// link a module, and keeps what it knows of each: with 250 of them the server started half as fast again, in 8 MB more;
// and a quarter of what was left went into compiling.
// What users run is dist/firnmq/main.js, which loads the program (server/compiled-program.ts).
//
// The modules in dist/server stay the ones that are tested one by one, and those that index.js exports.
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const server = join(root, 'dist', 'server');
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
  // Loaded by few servers, and late; those of Fastify never, since no route has a schema and nothing is injected.
  external: [
    'pino-pretty',
    '@fastify/ajv-compiler',
    '@fastify/fast-json-stringify-compiler',
    'light-my-request',
  ],
  // Code that V8 takes back cannot import.
  supported: { 'dynamic-import': false },
  define: { 'import.meta.dirname': '__dirname', 'import.meta.filename': '__filename' },
};

/** Fastify loads these for servers of its own, and here it has none: requests come from server/http/http-listener.ts. */
const serversLeftOut = {
  name: 'servers-left-out',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^node:http[2s]$/ }, ({ path, importer }) =>
      importer.includes(join('node_modules', 'fastify'))
        ? { path, namespace: 'left-out' }
        : undefined,
    );
    onLoad({ filter: /^/, namespace: 'left-out' }, () => ({ contents: '' }));
  },
};

/** Has another part of the program required by the name of its file, as server/compiled-program.ts expects. */
const partsStayApart = {
  name: 'parts-stay-apart',
  setup: ({ onResolve }) =>
    onResolve({ filter: /\/http-app\.js$/ }, ({ kind }) =>
      kind === 'entry-point' ? undefined : { path: './http-app.js', external: true },
    ),
};

rmSync(outdir, { recursive: true, force: true });
await build({ ...options, entryPoints: [join(server, 'main.js')] });
await build({
  ...options,
  entryPoints: {
    program: join(server, 'program.js'),
    'http-app': join(server, 'http', 'http-app.js'),
  },
  plugins: [partsStayApart, serversLeftOut],
  banner: { js: '(function (exports, require, module, __filename, __dirname) {' },
  footer: { js: '})' },
});
writeFileSync(join(outdir, 'package.json'), '{ "type": "commonjs" }\n');

const compiler = join(root, '.ci', 'compile-bundle.mjs');
const { status, stderr } = spawnSync(process.execPath, [compiler, outdir], { encoding: 'utf8' });
if (status !== 0) {
  process.stderr.write(`the bundle is not compiled: it will start more slowly\n${stderr}`);
}
