/** The methods that a connection sends by itself: opening and closing channels, and its own end. */
import {
  encodeChannelClose,
  encodeChannelCloseOk,
  encodeChannelOpenOk,
  encodeConnectionClose,
  encodeConnectionCloseOk,
  encodeConnectionUpdateSecretOk,
  sizeOfChannelClose,
  sizeOfChannelCloseOk,
  sizeOfChannelOpenOk,
  sizeOfConnectionClose,
  sizeOfConnectionCloseOk,
  sizeOfConnectionUpdateSecretOk,
} from '../../generated/index.ts';
import type { MethodWriter } from './output.ts';
import { type ProtocolError, replyText } from './protocol-error.ts';

/** What a close says: the error, and the method that caused it. */
export interface CloseReason {
  readonly replyCode: number;
  readonly replyText: string;
  readonly classId: number;
  readonly methodId: number;
}

/** The words for an error; `lastMethodId` is to blame unless the error knows better. */
export function closeReason(error: ProtocolError, lastMethodId: number): CloseReason {
  const blamed = error.methodId ?? lastMethodId;
  return {
    replyCode: error.replyCode,
    replyText: replyText(error),
    classId: blamed >>> 16,
    methodId: blamed & 0xffff,
  };
}

/** channel.open-ok */
export function sendChannelOpenOk(output: MethodWriter, channel: number): void {
  output.writeMethod(sizeOfChannelOpenOk(), (buf, at) => encodeChannelOpenOk(buf, at, channel));
}

/** channel.close */
export function sendChannelClose(output: MethodWriter, channel: number, reason: CloseReason): void {
  output.writeMethod(sizeOfChannelClose(reason), (buf, at) =>
    encodeChannelClose(buf, at, channel, reason),
  );
}

/** channel.close-ok */
export function sendChannelCloseOk(output: MethodWriter, channel: number): void {
  output.writeMethod(sizeOfChannelCloseOk(), (buf, at) => encodeChannelCloseOk(buf, at, channel));
}

/** connection.close */
export function sendConnectionClose(output: MethodWriter, reason: CloseReason): void {
  output.writeMethod(sizeOfConnectionClose(reason), (buf, at) =>
    encodeConnectionClose(buf, at, 0, reason),
  );
}

/** connection.close-ok */
export function sendConnectionCloseOk(output: MethodWriter): void {
  output.writeMethod(sizeOfConnectionCloseOk(), (buf, at) => encodeConnectionCloseOk(buf, at, 0));
}

/** connection.update-secret-ok */
export function sendUpdateSecretOk(output: MethodWriter): void {
  output.writeMethod(sizeOfConnectionUpdateSecretOk(), (buf, at) =>
    encodeConnectionUpdateSecretOk(buf, at, 0),
  );
}
