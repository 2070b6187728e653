/**
 * A run of the sessions on Node.js: the scenarios that the command line names, each on connections of its
 * own, with `done NAME` or `failed NAME` for each, and the reason on standard error.
 *
 *     node CLIENT.js URL NAME SCENARIO...
 *
 * URL is the broker's, NAME begins the names of all queues and exchanges.
 */
import { inspect } from 'node:util';
import { within } from '../../support/deadline.ts';
import type { Connect, Subscribe } from './interop-client.ts';
import { SCENARIO_BODIES, type ScenarioBody } from './scenario-bodies.ts';
import { Session } from './scenario-session.ts';

/** Only failures take so long. */
const SCENARIO_LIMIT_MS = 60_000;

/** Runs the scenarios of the command line, each on connections of its own. */
export async function runSession(
  connectTo: Connect,
  [url, name, ...scenarios]: readonly string[],
  subscribeTo: Subscribe | null = null,
): Promise<void> {
  if (url === undefined || name === undefined) throw new Error('arguments: URL NAME SCENARIO...');
  for (const scenario of scenarios) {
    const session = new Session(connectTo, subscribeTo, url, `${name}-${scenario}`);
    try {
      await within(bodyOf(scenario)(session, scenario), `end of ${scenario}`, SCENARIO_LIMIT_MS);
      await session.close();
      console.log(`done ${scenario}`);
    } catch (error) {
      console.error(`${scenario}: ${inspect(error)}`);
      console.log(`failed ${scenario}`);
    }
  }
  // A failed scenario leaves its connections open.
  process.exit();
}

function bodyOf(scenario: string): ScenarioBody {
  for (const [name, body] of Object.entries(SCENARIO_BODIES)) if (name === scenario) return body;
  throw new Error(`there is no scenario ${scenario}`);
}
