/** A broker that somebody else has started, anywhere. */
import { parseAmqpUri } from '../amqp/amqp-uri.ts';
import type { Target } from './target.ts';

/** A target that is there already: its start-up and its CPU time are unknown, and it is not stopped. */
export function createRunningTarget(uri: string): Target {
  const parsed = parseAmqpUri(uri);
  return {
    name: `${parsed.host}:${parsed.port}`,
    start: async () => ({
      uri: parsed,
      startupMs: null,
      cpuSeconds: () => null,
      stop: async () => {},
    }),
  };
}
