import { join } from 'node:path';
import t from 'tap';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  SEGMENT_HEADER_SIZE,
  SEGMENT_MAGIC,
} from './batch-format.ts';
import {
  CHECKPOINT_MAGIC,
  checkpointFileName,
  decodeCheckpoint,
  encodeCheckpoint,
} from './checkpoint-format.ts';
import {
  COMPACTED_MAGIC,
  decodeCompactedHeader,
  encodeCompactedHeader,
} from './compacted-format.ts';
import {
  DEFINITIONS_FILE,
  DEFINITIONS_MAGIC,
  decodeDefinitions,
  encodeDefinitions,
} from './definitions-format.ts';
import {
  ForeignFormatError,
  formatProblem,
  formatVersionOf,
  refuseForeignFiles,
  refuseForeignFormat,
  STORAGE_FORMAT_VERSION,
} from './format-version.ts';
import {
  decodeLargeHeader,
  encodeLargeHeader,
  LARGE_MAGIC,
  largeFileName,
} from './large-file-format.ts';
import { segmentFileName } from './segment.ts';

/** One file of each kind, and what its decoder says of bytes. */
const FILES = [
  {
    name: segmentFileName(3),
    magic: SEGMENT_MAGIC,
    bytes: encodeSegmentHeader({ number: 3, salt: 1, createdMs: 2, previousEnd: 0 }),
    decode: decodeSegmentHeader,
  },
  {
    name: segmentFileName(4),
    magic: COMPACTED_MAGIC,
    bytes: encodeCompactedHeader({
      number: 4,
      salt: 1,
      createdMs: 2,
      previousEnd: 0,
      endOffset: 0,
      messageCount: 0,
      tableAt: 56,
    }),
    decode: decodeCompactedHeader,
  },
  {
    name: checkpointFileName(7),
    magic: CHECKPOINT_MAGIC,
    bytes: encodeCheckpoint(
      {
        clean: true,
        replayFrom: 0,
        logEnd: 0,
        nextLargeFile: 1,
        base: 7,
        baseCrc: 0,
        rowEntries: 8192,
      },
      [],
      [],
    ),
    decode: decodeCheckpoint,
  },
  {
    name: DEFINITIONS_FILE,
    magic: DEFINITIONS_MAGIC,
    bytes: encodeDefinitions({ position: 0, nextQueueNumber: 1 }, []),
    decode: decodeDefinitions,
  },
];
/** It is not looked at by a boot, which sees the others. */
const LARGE_BODY = {
  name: largeFileName(5),
  magic: LARGE_MAGIC,
  bytes: encodeLargeHeader(5),
  decode: decodeLargeHeader,
};

/** The same file as another version would begin it. */
function ofVersion(bytes: Buffer, version: number): Buffer {
  const newer = Buffer.from(bytes);
  newer.writeUInt16BE(version, 8);
  newer.writeUInt16BE(~version & 0xffff, 10);
  return newer;
}

function write(fs: SimulatedFs, path: string, bytes: Buffer): void {
  const file = fs.openForWriting(path);
  file.writeAt(bytes, 0, bytes.length, 0);
  file.close();
}

t.test('every kind of file names its magic word and this version', async (t) => {
  for (const { magic, bytes, name } of [...FILES, LARGE_BODY]) {
    t.equal(formatVersionOf(bytes), STORAGE_FORMAT_VERSION, name);
    t.equal(formatProblem(bytes, magic, 'one'), null, name);
    t.equal(formatProblem(bytes, 'FIRNELSE', 'one'), 'not one', name);
    t.doesNotThrow(() => refuseForeignFormat(name, bytes));
  }
});

t.test('another version is refused with a sentence that names file and versions', async (t) => {
  for (const [version, age] of [
    [STORAGE_FORMAT_VERSION + 1, 'a newer'],
    [STORAGE_FORMAT_VERSION - 1, 'an older'],
  ] as const)
    for (const { name, bytes, decode } of FILES) {
      const newer = ofVersion(bytes, version);
      const fs = new SimulatedFs();
      fs.makeDirectory('/vhost');
      write(fs, `/vhost/${name}`, newer);
      const message = `/vhost/${name} was written by ${age} FirnMQ (format ${version}, this one reads ${STORAGE_FORMAT_VERSION})`;
      t.throws(() => refuseForeignFiles(fs, '/vhost'), {
        code: 'FOREIGN_FORMAT',
        message,
        path: `/vhost/${name}`,
        version,
      });
      t.equal(decode(newer), `format version ${version} is not known here`);
    }
});

t.test('no damaged bit, and no cut, makes a file look newer', async (t) => {
  for (const { name, bytes, decode } of [...FILES, LARGE_BODY]) {
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      t.doesNotThrow(() => refuseForeignFormat(name, damaged), `bit ${bit}`);
      t.type(decode(damaged), 'string', `bit ${bit}`);
    }
    for (let size = 0; size < SEGMENT_HEADER_SIZE; size++) {
      t.doesNotThrow(() => refuseForeignFormat(name, bytes.subarray(0, size)));
    }
  }
});

t.test('what is no file of the storage is not looked at, nor is an unfinished one', async (t) => {
  const newer = ofVersion(FILES[0]!.bytes, STORAGE_FORMAT_VERSION + 1);
  const fs = new SimulatedFs();
  fs.makeDirectory('/vhost');
  for (const name of ['notes', 'checkpoint.0000000001.tmp', 'msgs.old']) {
    write(fs, join('/vhost', name), newer);
  }
  t.doesNotThrow(() => refuseForeignFiles(fs, '/vhost'));
  write(fs, '/vhost/msgs.0000000001.4096', newer);
  t.throws(() => refuseForeignFiles(fs, '/vhost'), ForeignFormatError);
});
