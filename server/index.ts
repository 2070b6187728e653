/**
 * The embedding surface: a server inside another program, as tests and benchmarks use it too.
 *
 *     const server = await createServer({ dataDir: '/var/lib/firnmq', amqpPort: 0 });
 *     ...
 *     await server.stop('done');
 */
import { type ConfigOptions, createConfig } from './config/config.ts';
import { type RunningServer, startServer } from './launcher.ts';
import { createSilentLogger, type Logger } from './telemetry/logger.ts';

export type { ConfigOptions, Logger, RunningServer };

/**
 * Starts a server that logs nothing unless a logger is given; resolves when it accepts connections.
 *
 * @throws AppError as {@link startServer}
 */
export function createServer(options: ConfigOptions, logger?: Logger): Promise<RunningServer> {
  return startServer(createConfig(options), logger ?? createSilentLogger());
}
