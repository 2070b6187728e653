/** Judges what a server says where it does not speak AMQP: whatever comes in, what goes out is TLS, or HTTP. */

/** Listens to one connection. */
export interface Judge {
  readonly complaints: string[];
  /** Queues that the server gave a name, or confirmed. */
  readonly declaredQueues: readonly string[];
  /** How the session ended as far as the server said, for the statistics. */
  readonly outcome: string;
  receive(chunk: Buffer): void;
  /** The socket has ended. */
  end(): void;
}

/** Change-cipher-spec, alert, handshake, application data. */
const RECORD_TYPES = [20, 21, 22, 23];
const RECORD_HEAD_SIZE = 5;
/** 2^14 octets, and what encryption may add. */
const RECORD_SIZE_MAX = 16_384 + 256;

/** Nothing but whole records of TLS. */
export class TlsAnswers implements Judge {
  readonly complaints: string[] = [];
  readonly declaredQueues: readonly string[] = [];
  outcome = 'tls: nothing';
  private bytes: Buffer = Buffer.alloc(0);

  receive(chunk: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, chunk]);
    while (this.bytes.length >= RECORD_HEAD_SIZE && this.complaints.length === 0) {
      const type = this.bytes[0]!;
      const size = this.bytes.readUInt16BE(3);
      if (!RECORD_TYPES.includes(type) || this.bytes[1] !== 3 || size > RECORD_SIZE_MAX) {
        this.complaints.push(`no record of TLS: ${this.bytes.toString('hex', 0, 32)}`);
        return;
      }
      if (this.bytes.length < RECORD_HEAD_SIZE + size) return;
      this.outcome = type === 21 ? 'tls: alert' : 'tls: handshake';
      this.bytes = this.bytes.subarray(RECORD_HEAD_SIZE + size);
    }
  }

  end(): void {
    if (this.bytes.length > 0) this.complaints.push('the last record is cut');
  }
}

/** Responses that begin as such, and none that says that the server failed. */
export class HttpAnswers implements Judge {
  readonly complaints: string[] = [];
  readonly declaredQueues: readonly string[] = [];
  outcome = 'http: nothing';
  private text = '';

  receive(chunk: Buffer): void {
    this.text += chunk.toString('latin1');
    const start = 'HTTP/1.1 '.slice(0, this.text.length);
    if (!this.text.startsWith(start) && this.complaints.length === 0) {
      this.complaints.push(`no response of HTTP: ${this.text.slice(0, 60)}`);
    }
  }

  end(): void {
    const codes = [...this.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, code]) => Number(code));
    const [last] = codes.slice(-1);
    if (last !== undefined) this.outcome = `http: ${last}`;
    for (const code of codes) {
      if (code >= 500) this.complaints.push(`a response says ${code}: ${this.text.slice(0, 400)}`);
    }
  }
}
