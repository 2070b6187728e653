/**
 * The HTTP side as Fastify sees it: all routes, and what is answered when there is none or it fails.
 * Loaded at the first request, never before: it is the heaviest part of an idle server.
 *
 * Errors are RabbitMQ's: `{"error": ..., "reason": ...}`.
 */
import { type FastifyError, type FastifyInstance, type FastifyReply, fastify } from 'fastify';
import type { Logger } from '../telemetry/logger.ts';
import type { ControllerContext } from './controllers/controller.ts';
import { controllers } from './controllers/registry.ts';

/** The largest request body. */
const BODY_BYTES_MAX = 1024 * 1024;

/** Builds the routes; they are served by handing requests to `routing` of what comes back. */
export async function createHttpApp(
  context: ControllerContext,
  logger: Logger,
): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: BODY_BYTES_MAX,
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      void reply.code(error.statusCode ?? 400).send(errorBody('bad_request', error.message));
    },
  });
  app.addHook('onSend', async (_request, reply) => {
    reply.header('x-content-type-options', 'nosniff');
  });
  app.setNotFoundHandler((_request, reply) => {
    void reply.code(404).send(errorBody('Object Not Found', 'Not Found'));
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500) {
      void reply.code(status).send(errorBody('bad_request', error.message));
      return;
    }
    const { method, url } = request;
    logger.error({ event: 'request.fail', method, url, err: error }, 'an HTTP request fails');
    void reply.code(500).send(errorBody('internal_error', 'Internal Server Error'));
  });
  for (const controller of controllers) controller(app, context);
  await app.ready();
  return app;
}

function errorBody(error: string, reason: string): { error: string; reason: string } {
  return { error, reason };
}
