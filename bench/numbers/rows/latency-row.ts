/** How long a message takes at a moderate rate, beside what the machine and Node.js take without any broker. */
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { declareQueue, deleteQueue, startConsumer } from '../../amqp/control.ts';
import { messagesView, repeatMessage } from '../../amqp/message-block.ts';
import { BENCH_CHANNEL } from '../../amqp/traffic-scanner.ts';
import { PinnedProcess } from '../../targets/pinned-process.ts';
import { ConsumeGoal } from '../../throughput/consume-goal.ts';
import { Consumer } from '../../throughput/consumer.ts';
import type { LatencySummary } from '../../throughput/latency-histogram.ts';
import { encodePublish } from '../../throughput/publish-block.ts';
import { PacedLoad } from '../paced-load.ts';
import type { Row } from '../row.ts';
import type { RowRun } from '../row-run.ts';
import { QUEUE } from './throughput-row.ts';

const RATE = 50_000;
const TITLE = 'latency at 50,000 msg/s, 1 to 1, auto-ack, from when each was due';
const ECHO_MAIN = fileURLToPath(new URL('../../targets/echo-server-main.js', import.meta.url));

/** Of the broker, and of a server that sends the same octets back, in turns. */
export const LATENCY_ROW: Row = {
  id: 'latency',
  title: TITLE,
  consumesAtOnce: true,
  measure: async (run) => {
    const p99 = run.figure('99 % within', 'ms', { kind: 'at most', bound: 1, of: 'median' });
    const p999 = run.figure('99.9 % within', 'ms', { kind: 'at most', bound: 3, of: 'median' });
    const echoP99 = run.figure('99 % within, echo server', 'ms', null);
    const echoP999 = run.figure('99.9 % within, echo server', 'ms', null);
    run.tellCommand(`in this process: ${TITLE}`);
    await run.repeat(async () => {
      const message = encodePublish({
        ...{ channel: BENCH_CHANNEL, exchange: '', routingKey: QUEUE },
        ...{ bodySizeBytes: 16, persistent: false, frameMax: 0 },
      });
      const { result, cost } = await run.withCost(
        () => measureBroker(run, message),
        ({ messageCount }) => messageCount,
      );
      const summary = summaryOf(result);
      // A generator that never sleeps has always the whole core.
      const shown = { ...cost, generatorNsPerMessage: null, generatorShare: null };
      p99.add(summary.p99Ms, shown);
      p999.add(summary.p999Ms, shown);
      const echo = summaryOf(await measureEcho(run, message));
      echoP99.add(echo.p99Ms);
      echoP999.add(echo.p999Ms);
    });
  },
};

async function measureBroker(run: RowRun, message: Buffer): Promise<PacedLoad> {
  const producer = await run.connect();
  const consumer = await run.connect();
  await declareQueue(producer, QUEUE, false);
  const block = repeatMessage(message);
  const load = new PacedLoad(RATE, run.settings.seconds * 1000, block.count, (count) => {
    producer.write(messagesView(block, count));
  });
  new Consumer(consumer, new DeliveredTo(load), 0);
  await startConsumer(consumer, QUEUE, true);
  try {
    const failed = Promise.race([producer.whenFailed, consumer.whenFailed]);
    await Promise.race([load.run(), failed.then((error) => Promise.reject(error))]);
  } finally {
    load.stop();
    await run.close(producer, consumer);
  }
  await run.withConnection((connection) => deleteQueue(connection, QUEUE));
  return load;
}

/** Hands what a consumer counts to the load that sent it. */
class DeliveredTo extends ConsumeGoal {
  private readonly load: PacedLoad;

  constructor(load: PacedLoad) {
    super(0);
    this.load = load;
  }

  override add(count: number): void {
    this.load.add(count);
  }
}

async function measureEcho(run: RowRun, message: Buffer): Promise<PacedLoad> {
  const echo = await PinnedProcess.spawn(run.settings.serverCore, [process.execPath, ECHO_MAIN]);
  try {
    const port = await echo.findLine((line) => Number(line));
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const block = repeatMessage(message);
    const load = new PacedLoad(RATE, run.settings.seconds * 1000, block.count, (count) => {
      socket.write(messagesView(block, count));
    });
    let bytesLeft = message.length;
    socket.on('data', (chunk: Buffer) => {
      bytesLeft -= chunk.length;
      if (bytesLeft > 0) return;
      const count = Math.floor(-bytesLeft / message.length) + 1;
      bytesLeft += count * message.length;
      load.add(count);
    });
    const failed = new Promise<never>((_resolve, reject) => socket.once('error', reject));
    try {
      await Promise.race([load.run(), failed]);
    } finally {
      load.stop();
      socket.destroy();
    }
    return load;
  } finally {
    await echo.terminate();
  }
}

function summaryOf({ latencyUs }: PacedLoad): LatencySummary {
  const summary = latencyUs.summary();
  if (summary === null) throw new Error('nothing came back after the warm-up');
  return summary;
}
