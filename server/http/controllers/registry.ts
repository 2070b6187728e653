/** All controllers. */
import type { Controller } from './controller.ts';
import { healthController } from './health.ts';
import { statusPageController } from './status-page.ts';

/** The controllers whose routes the HTTP listener serves. */
export const controllers: readonly Controller[] = [statusPageController, healthController];
