/** Command lines as the report shows them: they can be repeated elsewhere, and give no password away. */
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { AmqpUri } from '../amqp/amqp-uri.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BELOW_TEMPORARY = new RegExp(`${tmpdir().replaceAll(/[^\w/-]/g, '\\$&')}/\\S+`, 'g');

/** A broker's address with its login, percent-encoded, as generators take it. */
export function formatUri({ host, port, username, password, vhost }: AmqpUri): string {
  const login = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`;
  const shownHost = host.includes(':') ? `[${host}]` : host;
  return `amqp://${login}@${shownHost}:${port}/${encodeURIComponent(vhost)}`;
}

/** `line` without what is different each time or concerns nobody: logins, ports of loopback, this machine's paths. */
export function plainCommandLine(line: string): string {
  return line
    .replaceAll(/\/\/[^/@\s]*@/g, '//')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
    .replaceAll(process.execPath, 'node')
    .replaceAll(ROOT, '')
    .replaceAll(BELOW_TEMPORARY, 'DIRECTORY');
}
