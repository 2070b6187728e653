/**
 * The HTTP side as Fastify sees it: all routes, and what is answered when there is none or it fails.
 * Loaded at the first request, never before: it is the heaviest part of an idle server. That takes 20 ms and more, so it
 * is done in steps, and clients of the broker have a turn between two of them (bench: `npm run perf -- fairness`).
 *
 * Errors are RabbitMQ's: `{"error": ..., "reason": ...}`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify';
import type { Logger } from '../telemetry/logger.ts';
import type { ControllerContext } from './controllers/controller.ts';
import { controllers } from './controllers/registry.ts';

/** The largest request body. */
const BODY_BYTES_MAX = 1024 * 1024;

/** What is sent to the broker meanwhile may take two turns to be delivered: between them there is one step at most. */
const STEP_PAUSE_MS = 20;

/** No route has a JSON schema: what compiles them is more than the rest of Fastify, in time and memory, and stays out. */
const NO_SCHEMA_COMPILERS = { buildValidator: refuseSchema, buildSerializer: refuseSchema };

/** Builds the routes; they are served by handing requests to `routing` of what comes back. */
export async function createHttpApp(
  context: ControllerContext,
  logger: Logger,
): Promise<FastifyInstance> {
  await sleep(STEP_PAUSE_MS);
  const { fastify } = await import('fastify');
  await sleep(STEP_PAUSE_MS);
  const app = fastify({
    bodyLimit: BODY_BYTES_MAX,
    schemaController: { compilersFactory: NO_SCHEMA_COMPILERS },
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
  await sleep(STEP_PAUSE_MS);
  await app.ready();
  return app;
}

function refuseSchema(): never {
  throw new Error('a route has a schema, and nothing compiles it');
}

function errorBody(error: string, reason: string): { error: string; reason: string } {
  return { error, reason };
}
