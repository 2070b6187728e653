import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import t from 'tap';
import type { ToolCommand } from '../config/tool-command.ts';
import { smallDirectory } from '../testing/small-directory.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { runTool } from './run-tool.ts';

const small = await smallDirectory(t);

async function ran(command: ToolCommand) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const texts = Promise.all([text(stdout), text(stderr)]);
  const code = await runTool(command, stdout, stderr);
  stdout.end();
  stderr.end();
  const [output, errors] = await texts;
  return { code, output, errors };
}

const recover = (directory: string, exportPath: string): ToolCommand => ({
  name: 'recover',
  directory,
  exportPath,
});

t.test('an export goes to a new file, or to standard output', async (t) => {
  const path = join(temporaryDirectory(t), 'messages.jsonl');
  t.match(await ran(recover(small, path)), {
    code: 0,
    output: '',
    errors: 'vhost "/", queue "q": 3 messages exported\n',
  });
  const lines = readFileSync(path, 'utf8');
  t.match(lines, /^({.*"payload":"\w+"}\n){3}$/);
  t.match(await ran(recover(small, '-')), { code: 0, output: lines });
});

t.test('an export never replaces a file, nor lies in the directory', async (t) => {
  const path = join(temporaryDirectory(t), 'there');
  writeFileSync(path, 'kept');
  t.match(await ran(recover(small, path)), { code: 2, errors: `error: ${path} exists already\n` });
  t.equal(readFileSync(path, 'utf8'), 'kept');
  t.match(await ran(recover(small, join(small, 'out'))), {
    code: 2,
    errors: /lies in the directory/,
  });
  t.notOk(existsSync(join(small, 'out')));
});

t.test('what cannot be begun leaves no file', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'messages.jsonl');
  t.match(await ran(recover('/nowhere', path)), {
    code: 2,
    errors: 'error: /nowhere does not exist\n',
  });
  t.same(readdirSync(directory), []);
  t.match(await ran(recover(small, join(directory, 'not', 'there'))), {
    code: 1,
    errors: /ENOENT/,
  });
});

t.test('damage is 1, and all being well is 0', async (t) => {
  t.match(await ran({ name: 'verify', directory: small }), { code: 0, output: /all is well\n$/ });
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'vhosts.json'), '');
  t.match(await ran({ name: 'verify', directory }), { code: 1, output: /1 finding\n$/ });
  t.match(await ran(recover(directory, '-')), { code: 1, output: '', errors: /not valid JSON/ });
});
