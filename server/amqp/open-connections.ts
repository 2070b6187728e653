/** How many connections of a server are open, from connection.open-ok to the first close, and how many may be. */
import { notAllowed, type ProtocolError } from './protocol-error.ts';

/** One server's count. */
export class OpenConnections {
  private readonly max: number;
  private count: number;

  /** @param max 0 is no limit */
  constructor(max: number) {
    this.max = max;
    this.count = 0;
  }

  /** @throws ProtocolError 530 in RabbitMQ's words, when one more would be too many */
  requireRoom(): void {
    if (this.max !== 0 && this.count >= this.max) throw tooMany(this.max);
  }

  add(): void {
    this.count++;
  }

  remove(): void {
    this.count--;
  }
}

function tooMany(max: number): ProtocolError {
  return notAllowed(`connection refused: node connection limit (${max}) is reached`);
}
