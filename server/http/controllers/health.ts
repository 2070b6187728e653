/**
 * `GET /healthz`: whether the server does its work, for load balancers and orchestrators, without login.
 * 200 `{"status":"ok"}`, or 503 `{"status":"failed","reason":...}`.
 *
 * An alarm does not fail it, since whoever takes a server out of service for one keeps its consumers away, who
 * alone can end it; the answer then has the reason as `alarm`. `GET /healthz/alarms` is the check that fails, as
 * RabbitMQ's check of local alarms does.
 *
 * `GET /healthz/loop`: how long the event loop let others wait, in milliseconds, over the last ten seconds
 * (telemetry/loop-delay.ts). It judges nothing.
 */
import type { Controller } from './controller.ts';

/** The health check. */
export const healthController: Controller = (app, { status }) => {
  app.get('/healthz', (_request, reply) => {
    const health = status.health();
    void reply.header('cache-control', 'no-store');
    const alarm = status.alarm();
    if (health.ok) void reply.send(alarm === '' ? { status: 'ok' } : { status: 'ok', alarm });
    else void reply.code(503).send({ status: 'failed', reason: health.reason });
  });

  app.get('/healthz/alarms', (_request, reply) => {
    const reason = status.alarm();
    void reply.header('cache-control', 'no-store');
    if (reason === '') void reply.send({ status: 'ok' });
    else void reply.code(503).send({ status: 'failed', reason });
  });

  app.get('/healthz/loop', (_request, reply) => {
    void reply.header('cache-control', 'no-store').send(status.loopDelays());
  });
};
