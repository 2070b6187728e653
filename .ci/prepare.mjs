// Brings a checkout to the state in which it can run: dependencies as the lockfile says, TypeScript built, the server
// bundled. Each step is skipped where nothing changed, so that `npm start` costs little the second time.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const stamp = join(root, 'node_modules', '.firnmq-lock');
const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');

const dist = join(root, 'dist');
const bundler = join(root, '.ci', 'bundle.mjs');
const bundleCompiler = join(root, '.ci', 'compile-bundle.mjs');

function run(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) {
    process.stderr.write(`${command} ${args.join(' ')} failed\n${stdout ?? ''}${stderr ?? ''}`);
    process.exit(1);
  }
}

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
  process.stderr.write('installing dependencies ...\n');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  // Otherwise the first run of the tests loads a TypeScript compiler into each of them.
  run(process.execPath, [join(root, 'node_modules', 'tap', 'dist', 'esm', 'run.mjs'), 'build']);
  writeFileSync(stamp, lock);
}
run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-b']);

const { codePath, PART_NAMES } = await import('../dist/server/compiled-program.js');

function isBundled() {
  // The last files that the bundler writes: what V8 compiled, for this Node.js.
  const times = PART_NAMES.map((name) => {
    const bundled = statSync(codePath(join(dist, 'firnmq'), name), { throwIfNoEntry: false });
    return bundled?.mtimeMs ?? 0;
  });
  const bundledMs = Math.min(...times);
  const builds = readdirSync(dist).filter((name) => name.endsWith('.tsbuildinfo'));
  const inputs = [bundler, bundleCompiler, stamp, ...builds.map((name) => join(dist, name))];
  return inputs.every((path) => statSync(path).mtimeMs < bundledMs);
}

if (!isBundled()) run(process.execPath, [bundler]);
