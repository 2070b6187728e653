/** What a scenario is given: names, and connections that are closed at its end. */
import type {
  Connect,
  ConnectOptions,
  InteropClient,
  InteropSubscription,
  Subscribe,
  SubscriptionNames,
} from './interop-client.ts';

export class Session {
  readonly name: string;
  private readonly connectTo: Connect;
  private readonly subscribeTo: Subscribe | null;
  private readonly url: string;
  private readonly clients: InteropClient[];

  constructor(connectTo: Connect, subscribeTo: Subscribe | null, url: string, name: string) {
    this.connectTo = connectTo;
    this.subscribeTo = subscribeTo;
    this.url = url;
    this.name = name;
    this.clients = [];
  }

  /** A new connection, closed when the scenario ends well. */
  async connect(options: ConnectOptions = {}): Promise<InteropClient> {
    const client = await this.connectTo(this.url, options);
    this.clients.push(client);
    return client;
  }

  /** A connection and an exclusive queue of it. */
  async withQueue(options: ConnectOptions = {}): Promise<{ client: InteropClient; queue: string }> {
    const client = await this.connect(options);
    const { queue } = await client.declareQueue({ queue: '', exclusive: true });
    return { client, queue };
  }

  /** A subscription on connections of its own. */
  subscribe(names: SubscriptionNames): Promise<InteropSubscription> {
    if (this.subscribeTo === null) throw new Error('the library does not restore consumers');
    return this.subscribeTo(this.url, names);
  }

  forget(client: InteropClient): void {
    this.clients.splice(this.clients.indexOf(client), 1);
  }

  async close(): Promise<void> {
    for (const client of this.clients) await client.close();
  }
}
