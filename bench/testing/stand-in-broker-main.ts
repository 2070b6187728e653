/**
 * Runs the stand-in broker as a process of its own: `node stand-in-broker-main.js READY BODY_SIZE`.
 *
 * It prints its URI in a line, and ends on SIGTERM.
 */
import { StandInBroker } from './stand-in-broker.ts';

const [ready = '0', bodySize = '16'] = process.argv.slice(2);
const broker = await StandInBroker.start(Number(bodySize));
broker.queue.ready = Number(ready);
process.once('SIGTERM', () => process.exit());
console.log(broker.uri);
