/** What a controller is: the routes of one resource. A new one is a new file and a line in ./registry.ts. */
import type { FastifyInstance } from 'fastify';
import type { ServerStatus } from '../server-status.ts';

/** What controllers are given. */
export interface ControllerContext {
  readonly status: ServerStatus;
}

/** Adds the routes of one resource. */
export type Controller = (app: FastifyInstance, context: ControllerContext) => void;
