/** Laying messages into the log, with a file system that takes everything and keeps nothing. */

import { newByteArea } from '../../server/base/byte-area.ts';
import { Clock } from '../../server/base/clock.ts';
import { FileCache } from '../../server/storage/file-cache.ts';
import type { FileSystem, OpenFile } from '../../server/storage/fs.ts';
import { MessageLog } from '../../server/storage/log.ts';
import { BlockPool } from '../../server/storage/memory-block.ts';
import { QueueIndex } from '../../server/storage/queue-index.ts';
import { RouteSet } from '../../server/storage/route-set.ts';
import type { MicroBenchmark } from './harness.ts';

const MESSAGES = 1000;
const ENVELOPE_SIZE = 12;
const BODY_SIZE = 16;
/** What a log under load has between two syncs. */
const LOG_BYTES = 24 * 1024 * 1024;

const FILE: OpenFile = {
  path: '',
  size: () => 0,
  writeAt() {},
  datasync: async () => {},
  datasyncNow() {},
  readAt: async () => 0,
  readNow: () => 0,
  truncate() {},
  truncateLater: async () => {},
  close() {},
  closeLater: async () => {},
};

const NOWHERE: FileSystem = {
  makeDirectory() {},
  list: () => [],
  openForReading: () => FILE,
  openForWriting: () => FILE,
  readFile: () => null,
  rename() {},
  renameLater: async () => {},
  delete() {},
  deleteLater: async () => {},
  freeBytes: () => 0,
  syncDirectory: async () => {},
  syncDirectoryNow() {},
};

/** One message of 16 bytes appended; a turn holds 1,000. */
export const logBenchmark: MicroBenchmark = {
  name: 'log',
  operation: 'append',
  prepare: () => {
    const events = { turnNeeded() {}, durable() {}, stateChanged() {} };
    const resumption = { segments: [], nextSegment: 1, previousEnd: 0 };
    const pool = new BlockPool();
    const newLog = (): MessageLog =>
      new MessageLog({
        fs: NOWHERE,
        cache: new FileCache(NOWHERE),
        directory: '',
        pool,
        clock: new Clock(),
        events,
        resumption,
      });
    let log = newLog();
    const set = new RouteSet([new QueueIndex(1, true)]);
    const area = newByteArea(ENVELOPE_SIZE + 2 + BODY_SIZE);
    const parts = {
      head: area,
      envelopeAt: 0,
      envelopeSize: ENVELOPE_SIZE,
      propertiesAt: ENVELOPE_SIZE,
      propertiesSize: 2,
      body: area,
      bodyAt: ENVELOPE_SIZE + 2,
      bodySize: BODY_SIZE,
      large: null,
    };
    return {
      operationsPerRound: MESSAGES,
      round: () => {
        // No sync ends between rounds, and what is not synced stays in memory: another log, the same blocks.
        if (log.appendedBytes > LOG_BYTES) {
          log.close();
          log = newLog();
        }
        const first = log.append(parts, set);
        let last = first;
        for (let i = 1; i < MESSAGES; i++) last = log.append(parts, set);
        log.endTurn();
        return last > first ? MESSAGES : 0;
      },
    };
  },
};
