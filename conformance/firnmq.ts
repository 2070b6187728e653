/** Starts this repository's server for the suite, with the suite's users. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningBroker } from './running-broker.ts';
import { LocalServer } from './support/local-server.ts';
import { passwordHash, USERS } from './support/users.ts';

/**
 * Starts it; the URL is that of AMQPS where `tls` is set.
 *
 * @throws Error with the last lines of the server's log when it does not come up
 */
export async function startFirnmq(tls: boolean = false): Promise<RunningBroker> {
  const server = await LocalServer.start({
    tls,
    prepare: (directory) =>
      writeFileSync(join(directory, 'users.json'), JSON.stringify(usersDocument())),
  });
  return {
    url: tls ? server.tlsUrl : server.url,
    hasUsers: true,
    description: `dist/firnmq/main.js, pid ${server.pid}`,
    stop: () =>
      server.stop().then(
        () => null,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      ),
  };
}

/** What users.json holds: guest, and the users of the suite. */
function usersDocument(): unknown {
  return USERS.map(({ name, password, permissions, tags = [] }) => ({
    name,
    password_hash: passwordHash(password),
    hashing_algorithm: 'rabbit_password_hashing_sha256',
    tags,
    permissions: permissions === null ? {} : { '/': permissions },
  }));
}
