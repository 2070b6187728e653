/**
 * The shortest heartbeat is one second, so these are slow; all connections of a scenario wait side by
 * side. The heartbeats of the server are the clock: one comes at least every second.
 */
import { FRAME_HEARTBEAT } from '../../generated/index.ts';
import type { RawClient } from '../support/raw-client.ts';
import { scenario } from '../support/scenario.ts';

/** Calls `answer` for every heartbeat of the server until another frame or the end comes. */
async function countBeats(raw: RawClient, answer: () => void): Promise<number> {
  for (let beats = 0; ; beats += 1) {
    const frame = await raw.nextFrame();
    if (frame.type !== FRAME_HEARTBEAT) return beats;
    answer();
  }
}

scenario(
  'a silent client is dropped without a word, one that answers stays [connection.heartbeat/both-ways]',
  async (t, broker) => {
    const silent = await broker.rawConnection({ heartbeat: 1 });
    const lively = await broker.rawConnection({ heartbeat: 1 });
    const beats = countBeats(lively, () => lively.sendHeartbeat());
    const first = await silent.nextFrame();
    t.match(first, { type: FRAME_HEARTBEAT, channel: 0, payload: Buffer.alloc(0) });
    await silent.expectEnd();
    t.ok(silent.framesWaiting >= 1, 'the server kept sending heartbeats');
    while (silent.framesWaiting > 0) {
      t.equal((await silent.nextFrame()).type, FRAME_HEARTBEAT, 'and nothing else');
    }
    lively.send(1, 'channel.open');
    t.ok((await beats) >= 2, 'the lively client is still served');
  },
);

scenario(
  'any traffic counts as a heartbeat, and 0 turns heartbeats off [connection.heartbeat/traffic]',
  async (t, broker) => {
    const silent = await broker.rawConnection({ heartbeat: 1 });
    const without = await broker.rawConnection({ heartbeat: 0 });
    const publisher = await broker.rawChannel({ heartbeat: 1 });
    const beats = countBeats(publisher, () => {
      publisher.publish(1, { exchange: 'amq.fanout' }, Buffer.from('beat'));
    });
    await silent.expectEnd();
    publisher.send(1, 'queue.declare', { exclusive: true });
    t.ok((await beats) >= 2, 'the publisher is still served');
    t.equal(without.framesWaiting, 0, 'no heartbeats where none were agreed');
    await without.openChannel(1);
  },
);
