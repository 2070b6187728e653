// Runs docs/examples/republish.mjs: what was exported is in its queues again.
import { execFile } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { realFileSystem } from '../storage/fs.ts';
import { SAMPLE_CONTENT, sampleDirectory } from '../testing/sample-directory.ts';
import { startAmqp } from '../testing/start-amqp.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { TextCollector } from '../testing/text-collector.ts';
import { recoverMessages } from './recover.ts';

const EXAMPLE = fileURLToPath(new URL('../../../docs/examples/republish.mjs', import.meta.url));

t.test('the example publishes an export back to its queues', async (t) => {
  const sample = await sampleDirectory(t, 'stopped');
  const exported = new TextCollector();
  const report = new TextCollector();
  await recoverMessages(realFileSystem, sample, { messages: exported, report });
  const dataDir = temporaryDirectory(t);
  for (const name of ['users.json', 'vhosts.json'])
    copyFileSync(join(sample, name), join(dataDir, name));
  const server = await startAmqp(t, { config: { dataDir } });
  const file = join(dataDir, 'messages.jsonl');
  writeFileSync(file, exported.text);
  await promisify(execFile)(process.execPath, [
    EXAMPLE,
    file,
    `amqp://guest:guest@127.0.0.1:${server.port}`,
  ]);
  await server.stop();
  const again = new TextCollector();
  await recoverMessages(realFileSystem, dataDir, { messages: again, report });
  const essence = (lines: readonly string[]) =>
    lines.map((line) => {
      const { vhost, queue, payload, payload_encoding, properties } = JSON.parse(line) as {
        vhost: string;
        queue: string;
        payload: string;
        payload_encoding: string;
        properties: { message_id?: string; priority?: number; headers?: Record<string, unknown> };
      };
      const { message_id, priority, headers } = properties;
      return {
        vhost,
        queue,
        payload,
        payload_encoding,
        message_id,
        priority,
        text: headers?.['text'],
      };
    });
  t.same(essence(again.lines()), essence(exported.lines()));
  t.equal(
    again.lines().length,
    Object.values(SAMPLE_CONTENT).flatMap((queues) => Object.values(queues).flat()).length,
  );
});
