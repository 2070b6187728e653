/** Plays one session of a fuzz run against a broker and tells what was wrong with the answers. */
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { within } from '../support/deadline.ts';
import { methodFrame } from '../support/methods.ts';
import { Answers } from './answers.ts';
import { type DoorPorts, openDoor } from './doors.ts';
import { HttpAnswers, type Judge, TlsAnswers } from './foreign-answers.ts';
import { type Door, type FuzzCase, piecesOf } from './fuzz-case.ts';
import { restOfFrame } from './rest-of-frame.ts';

/** How long a server may take to end a session, in milliseconds; a refused login is left waiting for 3 seconds. */
const END_LIMIT_MS = 60_000;

/** What came of a session. */
export interface PlayedCase {
  readonly complaints: readonly string[];
  /** How it ended, for the statistics: `close-ok`, `close 501`, ... */
  readonly ending: string;
  /** Queues that it may have left behind. */
  readonly queues: readonly string[];
}

/**
 * Sends everything and leaves; resolves when the socket is closed.
 *
 * @param connected told the client's port, by which the server's log names the connection
 */
export async function playCase(
  played: FuzzCase,
  ports: DoorPorts,
  connected: (localPort: number) => void,
): Promise<PlayedCase> {
  const socket = await openDoor(played.door, ports);
  connected(socket.localPort ?? 0);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const answers = judgeOf(played.door);
  if (answers instanceof Answers) await converse(played, socket, answers, closed);
  else {
    socket.on('data', (chunk: Buffer) => answers.receive(chunk));
    await write(played, socket, () => false);
  }
  if (played.leaving === 'reset') {
    // Node loses a socket that is reset under its TLS: that would keep this process from ending.
    if (played.door === 'tls') socket.destroy();
    else socket.resetAndDestroy();
    await within(closed, 'end of a socket that was reset');
  } else {
    try {
      socket.end();
      await within(closed, 'end of the socket', END_LIMIT_MS);
      answers.end();
    } catch (error) {
      answers.complaints.push(String(error));
      socket.destroy();
    }
  }
  return {
    complaints: answers.complaints,
    ending: played.leaving === 'reset' ? 'reset' : answers.outcome,
    queues: answers.declaredQueues,
  };
}

function judgeOf(door: Door): Judge {
  switch (door) {
    case 'amqp':
    case 'amqp-proxied':
    case 'tls':
      return new Answers();
    case 'amqps':
    case 'amqps-proxied':
      return new TlsAnswers();
    case 'http':
      return new HttpAnswers();
  }
}

/** Sends the pieces one by one, each in a turn of its own, until all are sent or nobody listens any more. */
async function write(played: FuzzCase, socket: Socket, isOver: () => boolean): Promise<void> {
  for (const piece of piecesOf(played)) {
    if (socket.destroyed || isOver()) return;
    socket.write(piece);
    await nextTurn();
  }
}

/** A session of AMQP, up to the last word of the server where it is to be waited for. */
async function converse(
  played: FuzzCase,
  socket: Socket,
  answers: Answers,
  closed: Promise<void>,
): Promise<void> {
  let said = (): void => undefined;
  const heard = new Promise<void>((resolve) => {
    said = resolve;
  });
  socket.on('data', (chunk: Buffer) => {
    answers.receive(chunk);
    if (answers.ending === 'nothing' && answers.complaints.length === 0) return;
    // It has said its last word; what was sent cannot be followed by a close-ok where framing is lost.
    if (answers.ending === 'close') socket.end(methodFrame('connection.close-ok', 0, {}));
    said();
  });
  void closed.then(said);
  await write(played, socket, () => answers.ending !== 'nothing');
  if (played.leaving !== 'close') return;
  const rest = restOfFrame(Buffer.concat(played.frames));
  if (rest !== null) socket.write(Buffer.concat([rest, methodFrame('connection.close', 0, {})]));
  try {
    await within(heard, 'last word of the server', END_LIMIT_MS);
  } catch (error) {
    answers.complaints.push(String(error));
  }
}
