/**
 * Runs the bare broker as a process of its own: `node bare-broker-main.js DIRECTORY [--write-consumed]`.
 *
 * It prints its URI in a line, and ends on SIGTERM.
 */
import { createServer } from 'node:net';
import { BareLog } from './bare-log.ts';
import { BareBroker, BareSession } from './bare-session.ts';

const [directory = '.', ...flags] = process.argv.slice(2);
const broker = new BareBroker(new BareLog(directory, flags.includes('--write-consumed')));
const server = createServer({ noDelay: true }, (socket) => new BareSession(socket, broker).start());
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const address = server.address();
if (address === null || typeof address === 'string') throw new Error('not listening');
process.once('SIGTERM', () => process.exit());
console.log(`amqp://127.0.0.1:${address.port}`);
