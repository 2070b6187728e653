/**
 * Sessions of real clients, recorded and then damaged: bits turned, frames lost, doubled, swapped, cut, and parts of
 * another client's session between them.
 *
 * A recording names the queue that its broker had named. Here the client names it, so that a replay gets as far as the
 * recorded session did.
 */
import fc, { type Arbitrary } from 'fast-check';
import {
  FRAME_HEADER_SIZE,
  FRAME_METHOD,
  FRAME_OVERHEAD,
  QUEUE_DECLARE_ID,
} from '../../generated/index.ts';
import { rawFrame } from '../support/raw-client.ts';
import type { FuzzCase } from './fuzz-case.ts';
import { readRecordings } from './recordings.ts';
import { manners } from './structured-cases.ts';
import { shortstr } from './wire-arguments.ts';

const GENERATED_NAME = /amq\.gen-[A-Za-z0-9_-]{22}/;
/** With a number of three digits as long as a name that a broker makes, and not reserved. */
const OWN_NAME = 'fuz.gen-replayed-recording-';
/** Sessions side by side seldom have the same name for their exclusive queue. */
const OWN_NAME_COUNT = 1000;
/** Frame header, ids and the reserved short before the queue's name in a queue.declare. */
const DECLARED_NAME_AT = 7 + 4 + 2;

/** What a client sent, with its queue's name replaced. */
function withOwnName(frames: readonly Buffer[], number: number): Buffer[] {
  const ownName = OWN_NAME + `${number}`.padStart(3, '0');
  const text = Buffer.concat(frames).toString('latin1');
  const generated = GENERATED_NAME.exec(text)?.[0];
  if (generated === undefined) return [...frames];
  return frames.map((frame) => {
    if (isDeclareWithoutName(frame)) return named(frame, ownName);
    return Buffer.from(frame.toString('latin1').replaceAll(generated, ownName), 'latin1');
  });
}

function isDeclareWithoutName(frame: Buffer): boolean {
  return (
    frame[0] === FRAME_METHOD &&
    frame.length > DECLARED_NAME_AT &&
    frame.readUInt32BE(7) === QUEUE_DECLARE_ID &&
    frame[DECLARED_NAME_AT] === 0
  );
}

function named(frame: Buffer, name: string): Buffer {
  const before = frame.subarray(7, DECLARED_NAME_AT);
  const behind = frame.subarray(DECLARED_NAME_AT + 1, -1);
  return rawFrame(
    FRAME_METHOD,
    frame.readUInt16BE(1),
    Buffer.concat([before, shortstr(name), behind]),
  );
}

type Mutation = (frames: Buffer[], other: readonly Buffer[]) => Buffer[];

/** Where: a number that is taken modulo what there is. */
const places = fc.nat(1_000_000);

const mutations: Arbitrary<Mutation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(places, places, fc.nat(7)).map(([i, at, bit]) => turnBit(i, at, bit)),
  },
  { weight: 2, arbitrary: fc.tuple(places, places).map(([i, at]) => cutFrame(i, at)) },
  {
    weight: 2,
    arbitrary: places.map(
      (i): Mutation =>
        (frames) =>
          frames.toSpliced(i % frames.length, 1),
    ),
  },
  {
    weight: 2,
    arbitrary: places.map(
      (i): Mutation =>
        (frames) => {
          const at = i % frames.length;
          return frames.toSpliced(at, 0, frames[at]!);
        },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(places, places).map(
      ([i, j]): Mutation =>
        (frames) => {
          const [from, to] = [i % frames.length, j % frames.length];
          return frames.with(from, frames[to]!).with(to, frames[from]!);
        },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(places, places, fc.nat(12)).map(
      ([i, j, count]): Mutation =>
        (frames, other) => {
          const from = j % other.length;
          return frames.toSpliced(i % frames.length, 0, ...other.slice(from, from + count));
        },
    ),
  },
  {
    weight: 1,
    arbitrary: places.map(
      (i): Mutation =>
        (frames) =>
          frames.slice(0, 1 + (i % frames.length)),
    ),
  },
);

function changeFrame(i: number, change: (frame: Buffer) => Buffer): Mutation {
  return (frames) => {
    const index = i % frames.length;
    return frames.with(index, change(frames[index]!));
  };
}

function turnBit(i: number, at: number, bit: number): Mutation {
  return changeFrame(i, (frame) => {
    const changed = Buffer.from(frame);
    if (changed.length === 0) return changed;
    // Seven times in eight inside of the frame: where its own octets are wrong, nothing is read behind it.
    const inside = changed.length > FRAME_OVERHEAD && at % 8 > 0;
    const octet = inside
      ? FRAME_HEADER_SIZE + (at % (changed.length - FRAME_OVERHEAD))
      : at % changed.length;
    changed[octet]! ^= 1 << bit;
    return changed;
  });
}

/** The frame loses octets and says so: only what is inside is wrong. */
function cutFrame(i: number, at: number): Mutation {
  return changeFrame(i, (frame) => {
    if (frame.length < 9 || frame[0] === 'A'.charCodeAt(0)) return frame;
    const payload = frame.subarray(7, -1);
    return rawFrame(frame[0]!, frame.readUInt16BE(1), payload.subarray(0, at % payload.length));
  });
}

/** Damaged sessions of real clients; as many of every client. */
export function mutatedCases(): Arbitrary<FuzzCase> {
  const sessions = readRecordings().map(({ toServer }) => toServer);
  return fc
    .record({
      session: fc.nat(sessions.length - 1),
      other: fc.nat(sessions.length - 1),
      number: fc.nat(OWN_NAME_COUNT - 1),
      changes: fc.array(mutations, { maxLength: 6 }),
      how: manners,
    })
    .map(({ session, other, number, changes, how }) => {
      let frames = withOwnName(sessions[session]!, number);
      for (const change of changes) {
        if (frames.length > 0) frames = change(frames, withOwnName(sessions[other]!, number));
      }
      return { door: 'amqp', frames, ...how };
    });
}
