/** A broker that somebody else has started, anywhere. */
import { parseAmqpUri } from '../amqp/amqp-uri.ts';
import type { Target } from './target.ts';

/** A target that is there already: its processes are unknown, and it is not stopped. */
export function createRunningTarget(uri: string): Target {
  const parsed = parseAmqpUri(uri);
  return {
    name: `${parsed.host}:${parsed.port}`,
    isOurs: false,
    isBroker: true,
    canWriteConsumed: false,
    start: async () => ({
      uri: parsed,
      tls: null,
      startupMs: null,
      command: '',
      cpuSeconds: () => null,
      memoryBytes: () => null,
      openFileCount: () => null,
      loopDelay: async () => null,
      killAndRestart: null,
      stop: async () => {},
    }),
  };
}
