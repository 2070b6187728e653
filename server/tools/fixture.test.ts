// What servers of this format version have left must be found by every later build. When the format changes before
// Part 2 is closed, `npm run fixtures` makes them anew.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { bindingsIn } from '../broker/binding-group.ts';
import { realFileSystem } from '../storage/fs.ts';
import { FIXTURES, fixtureDirectory } from '../testing/fixture-directory.ts';
import { openBroker } from '../testing/open-broker.ts';
import { SAMPLE_CONTENT } from '../testing/sample-directory.ts';
import { TextCollector } from '../testing/text-collector.ts';
import { recoverMessages } from './recover.ts';
import { verify } from './verify.ts';

for (const ending of ['stopped', 'killed'] as const) {
  t.test(`the fixture of a server that was ${ending} has every message`, async (t) => {
    const directory = fixtureDirectory(t, ending);
    const report = new TextCollector();
    t.equal(await verify(realFileSystem, directory, report), 0, report.text);
    const messages = new TextCollector();
    await recoverMessages(realFileSystem, directory, { messages, report });
    const found = messages.lines().map((line) => {
      const { vhost, queue, payload, payload_encoding } = JSON.parse(line) as {
        vhost: string;
        queue: string;
        payload: string;
        payload_encoding: 'base64' | 'string';
      };
      const encoding = payload_encoding === 'string' ? 'utf8' : 'base64';
      return [vhost, queue, Buffer.from(payload, encoding).toString('base64')].join();
    });
    const expected = Object.entries(SAMPLE_CONTENT).flatMap(([vhost, queues]) =>
      Object.entries(queues).flatMap(([queue, content]) =>
        content.map(({ body }) => [vhost, queue, body.toString('base64')].join()),
      ),
    );
    t.same([...found].sort(), [...expected].sort());
  });

  t.test(`a server starts on the fixture of one that was ${ending}`, async (t) => {
    const directory = fixtureDirectory(t, ending);
    const { vhost, broker } = await openBroker(t, realFileSystem, directory);
    t.same([...broker.vhosts.keys()], ['/', 'other']);
    const counts = Object.fromEntries(
      Array.from(vhost.queues.values(), ({ name, index }) => [name, index.readyCount]),
    );
    t.same(
      counts,
      Object.fromEntries(
        Object.entries(SAMPLE_CONTENT['/']!).map(([name, content]) => [name, content.length]),
      ),
    );
    t.match(vhost.exchange('by-header'), { type: 'headers', internal: true, durable: true });
    t.equal(vhost.exchanges.has('gone'), false);
    t.equal(bindingsIn(vhost.exchange('logs').outgoing).length, 3);
    t.equal(bindingsIn(vhost.exchange('by-header').outgoing).length, 1);
    t.equal(bindingsIn(vhost.queue('everything').incoming).length, 2);
  });
}

t.test('the fixtures are small', async (t) => {
  const files = readdirSync(FIXTURES, { recursive: true, withFileTypes: true });
  const sizes = files.map((file) => statSync(join(file.parentPath, file.name)).size);
  t.ok(sizes.reduce((sum, size) => sum + size, 0) < 200_000);
});
