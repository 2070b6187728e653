// Crashes the broker and looks whether it keeps its promises.
//
//     npm run test:crash -- --points 2000     over a simulated disk, at chosen steps (server/testing/crash)
//     npm run test:crash -- --rounds 20       the real process by SIGKILL, under load (conformance/crash)
//
// One of the two; kill rounds where neither is said. --seed repeats a run, --help says the rest.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist');
const args = process.argv.slice(2);
const programs = {
  points: join(dist, 'server', 'testing', 'crash', 'main.js'),
  rounds: join(dist, 'conformance', 'crash', 'main.js'),
};
const wantsPoints = args.some((arg) => arg.startsWith('--points'));

function run(program) {
  return spawnSync(process.execPath, [program, ...args], { stdio: 'inherit' }).status ?? 1;
}

if (args.includes('--help')) process.exitCode = run(programs.points) + run(programs.rounds);
else process.exitCode = run(wantsPoints ? programs.points : programs.rounds);
