/**
 * The server's first frame, connection.start: what it is and can do, how one may log in. It is the same for all clients
 * but for the mechanisms, and one part in 25 of what a login costs to lay out: each kind is laid out once.
 */
import { hostname } from 'node:os';
import {
  encodeConnectionStart,
  type FieldTable,
  sizeOfConnectionStart,
  toFieldTable,
} from '../../generated/index.ts';

const LOCALES = 'en_US';

/** What the server is able to do, as clients look it up. */
const CAPABILITIES = {
  authentication_failure_close: true,
  'basic.nack': true,
  'connection.blocked': true,
  consumer_cancel_notify: true,
  consumer_priorities: true,
  direct_reply_to: true,
  exchange_exchange_bindings: true,
  per_consumer_qos: true,
  publisher_confirms: true,
};

/** The greetings of one server. */
export class Greeting {
  private readonly version: string;
  private readonly frames: Map<string, Buffer>;

  /** @param version of the server */
  constructor(version: string) {
    this.version = version;
    this.frames = new Map();
  }

  /** The frame for clients that are offered `mechanisms`, separated by spaces. It is shared: to be copied. */
  frame(mechanisms: string): Buffer {
    let frame = this.frames.get(mechanisms);
    if (frame === undefined) {
      frame = this.layOut(mechanisms);
      this.frames.set(mechanisms, frame);
    }
    return frame;
  }

  private layOut(mechanisms: string): Buffer {
    const method = {
      versionMajor: 0,
      versionMinor: 9,
      serverProperties: serverProperties(this.version),
      mechanisms: Buffer.from(mechanisms),
      locales: Buffer.from(LOCALES),
    };
    const frame = Buffer.alloc(sizeOfConnectionStart(method));
    encodeConnectionStart(frame, 0, 0, method);
    return frame;
  }
}

function serverProperties(version: string): FieldTable {
  return toFieldTable({
    capabilities: CAPABILITIES,
    cluster_name: `firnmq@${hostname()}`,
    copyright: 'Copyright (c) 2026 the FirnMQ authors',
    information: 'Licensed under the Apache License 2.0',
    platform: `Node.js ${process.version}`,
    product: 'FirnMQ',
    version,
  });
}
