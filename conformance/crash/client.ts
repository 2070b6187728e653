/** A connection that expects its broker to be killed, and reports every other end of it. */
import { type ChannelModel, connect } from 'amqplib';
import { within } from '../support/deadline.ts';
import type { Ledger } from './ledger.ts';

/** One connection of a round. */
export class CrashClient {
  readonly connection: ChannelModel;
  /** Resolves when the socket is closed: nothing more comes. */
  readonly gone: Promise<void>;
  /** The kill is under way, or the client says goodbye. */
  endsNow = false;

  private constructor(connection: ChannelModel, ledger: Ledger) {
    this.connection = connection;
    this.gone = new Promise((resolve) => {
      connection.once('close', () => {
        if (!this.endsNow) ledger.blame('the broker closes a connection');
        resolve();
      });
    });
    connection.on('error', (error: Error) => {
      if (!this.endsNow) ledger.blame(`a connection fails: ${error.message}`);
    });
  }

  static async connect(url: string, ledger: Ledger): Promise<CrashClient> {
    const connection = await within(connect(url, { noDelay: true }), 'connection');
    return new CrashClient(connection, ledger);
  }

  async close(): Promise<void> {
    this.endsNow = true;
    await within(this.connection.close(), 'connection.close-ok');
  }
}
