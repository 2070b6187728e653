/**
 * A server with a message size that its command line does not offer, as a program that embeds it would start
 * one: `node large-body-server-main.js DATA_DIR MAX_MESSAGE_SIZE_BYTES`.
 *
 * It prints one line, as the server itself does, when it listens, and stops on SIGTERM.
 */
import { createServer } from '../../server/index.ts';

const [dataDir = '', maxMessageSizeBytes = ''] = process.argv.slice(2);
const server = await createServer({
  dataDir,
  maxMessageSizeBytes: Number(maxMessageSizeBytes),
  bindAddresses: ['127.0.0.1'],
  amqpPort: 0,
  httpPort: 0,
});
process.once('SIGTERM', () => {
  server.stop('SIGTERM').then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
for (const { protocol, port } of server.listeners) {
  console.log(JSON.stringify({ event: 'listening', protocol, port }));
}
