/** Plays one session of a fuzz run against a broker and tells what was wrong with the answers. */
import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Address } from '../support/address.ts';
import { within } from '../support/deadline.ts';
import { methodFrame } from '../support/methods.ts';
import { Answers } from './answers.ts';
import { type FuzzCase, piecesOf } from './fuzz-case.ts';
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
  address: Address,
  connected: (localPort: number) => void,
): Promise<PlayedCase> {
  const answers = new Answers();
  const socket = await open(address);
  connected(socket.localPort ?? 0);
  let isClosed = false;
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      isClosed = true;
      resolve();
    });
  });
  let said = (): void => undefined;
  const heard = new Promise<void>((resolve) => {
    said = resolve;
  });
  const frames = Buffer.concat(played.frames);
  const rest = restOfFrame(frames);
  socket.on('data', (chunk: Buffer) => {
    answers.receive(chunk);
    if (answers.ending === 'nothing' && answers.complaints.length === 0) return;
    // It has said its last word; what was sent cannot be followed by a close-ok where framing is lost.
    if (answers.ending === 'close') socket.end(methodFrame('connection.close-ok', 0, {}));
    said();
  });
  void closed.then(said);
  for (const piece of piecesOf(played)) {
    if (isClosed || answers.ending !== 'nothing') break;
    socket.write(piece);
    await nextTurn();
  }
  if (played.leaving === 'reset') {
    socket.resetAndDestroy();
    await within(closed, 'end of a socket that was reset');
  } else {
    if (rest !== null) socket.write(Buffer.concat([rest, methodFrame('connection.close', 0, {})]));
    try {
      await within(heard, 'last word of the server', END_LIMIT_MS);
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
    ending: played.leaving === 'reset' ? 'reset' : endingOf(answers),
    queues: answers.declaredQueues,
  };
}

function endingOf({ ending, reason }: Answers): string {
  return ending === 'close' ? `close ${reason.slice(0, 3)}` : ending;
}

function open({ host, port }: Address): Promise<Socket> {
  const opening = new Promise<Socket>((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined); // a reset is an end, too
      resolve(socket);
    });
  });
  return within(opening, 'TCP connection');
}
