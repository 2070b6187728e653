/**
 * Sends a channel's messages that were never stored, returns and direct replies, in their turn: behind a content
 * under way and, where they must not overtake one, behind replies that wait.
 */
import type { LargeBody, MessageParts } from '../storage/record-format.ts';
import type { Channel } from './channel.ts';
import {
  encodeParts,
  encodePartsHead,
  type PartsMethod,
  RETURN_METHOD,
  writeParts,
} from './parts-writer.ts';

/** Sends a message back that went nowhere; its large body is the return's then. */
export function sendReturn(channel: Channel, parts: MessageParts): void {
  const { large } = parts;
  if (large === null) {
    sendParts(channel, RETURN_METHOD, parts, channel.replies.isSendingLarge);
    return;
  }
  const { largeFiles } = channel.vhost.store;
  largeFiles.keep(large, false);
  sendLargeParts(channel, RETURN_METHOD, parts, large);
  largeFiles.release(large.file);
}

/** Sends a message to a consumer, behind its consume-ok; somebody else keeps a large body during the call. */
export function sendDelivery(channel: Channel, method: PartsMethod, parts: MessageParts): void {
  const { large } = parts;
  if (large === null) sendParts(channel, method, parts, channel.replies.isBusy);
  else sendLargeParts(channel, method, parts, large);
}

function sendParts(
  channel: Channel,
  method: PartsMethod,
  parts: MessageParts,
  mustWait: boolean,
): void {
  const { connection, number } = channel;
  const { output, frameMax } = connection;
  if (!mustWait) {
    writeParts(output, method, number, frameMax, parts);
    return;
  }
  const frames = encodeParts(method, number, frameMax, parts);
  output.heldBytes += frames.length;
  const letGo = () => {
    output.heldBytes -= frames.length;
    connection.heldOutputReleased();
  };
  const send = () => {
    letGo();
    output.write(frames);
  };
  channel.reply(-1, send, letGo);
}

function sendLargeParts(
  channel: Channel,
  method: PartsMethod,
  parts: MessageParts,
  large: LargeBody,
): void {
  const { largeOutput } = channel.connection;
  const head = encodePartsHead(method, channel.number, parts);
  const body = channel.vhost.store.largeFiles.read(large);
  largeOutput.owedCount++;
  const released = () => {
    largeOutput.owedCount--;
  };
  const discard = () => {
    body.close();
    released();
  };
  channel.reply(-1, () => channel.sendLarge(head, body, released), discard);
}
