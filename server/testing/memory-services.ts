/** What connections that never leave the process are given: everything but listeners. */
import { Greeting } from '../amqp/greeting.ts';
import { HandshakeMemory } from '../amqp/handshake-memory.ts';
import { OpenConnections } from '../amqp/open-connections.ts';
import { SlabPool } from '../amqp/output.ts';
import { RunWriter } from '../amqp/run-writer.ts';
import type { AmqpServices } from '../amqp/services.ts';
import { SocketReader } from '../amqp/socket-reader.ts';
import { MessageRun } from '../storage/message-run.ts';

/** Services over a broker and its users; `regionBytes` as in {@link SlabPool}. */
export function memoryServices(
  parts: Pick<AmqpServices, 'config' | 'users' | 'broker'>,
  regionBytes?: number,
): AmqpServices {
  return {
    ...parts,
    slabs: new SlabPool(regionBytes),
    run: new MessageRun(),
    runWriter: new RunWriter(),
    handshakes: new HandshakeMemory(),
    reader: new SocketReader(parts.broker.reactor),
    openConnections: new OpenConnections(0),
    greeting: new Greeting('0.0.0'),
  };
}
