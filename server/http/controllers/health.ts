/**
 * `GET /healthz`: whether the server does its work, for load balancers and orchestrators, without login.
 * 200 `{"status":"ok"}`, or 503 `{"status":"failed","reason":...}`.
 */
import type { Controller } from './controller.ts';

/** The health check. */
export const healthController: Controller = (app, { status }) => {
  app.get('/healthz', (_request, reply) => {
    const health = status.health();
    void reply.header('cache-control', 'no-store');
    if (health.ok) void reply.send({ status: 'ok' });
    else void reply.code(503).send({ status: 'failed', reason: health.reason });
  });
};
