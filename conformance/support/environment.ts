/**
 * What main.ts tells the scenario processes, through environment variables: which broker to talk to,
 * what it has been prepared with, and where to write down the outcomes.
 */
import { isTargetName, type TargetName } from '../targets.ts';

/** The broker under test, as one scenario process sees it. */
export interface Environment {
  /** AMQPS is spoken; the certificate's authority is one that Node.js knows. */
  readonly isTls: boolean;
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;

  readonly target: TargetName;
  /** The users of users.ts exist. */
  readonly hasUsers: boolean;
  /** File to which every scenario appends its outcome, one JSON object a line. */
  readonly outcomeFile: string;
}

/** What main.ts decides for a run. */
export interface RunSettings {
  readonly url: string;
  readonly target: TargetName;
  readonly hasUsers: boolean;
  readonly outcomeFile: string;
}

/** The variables that carry `settings` to the scenario processes. */
export function toVariables(settings: RunSettings): Record<string, string> {
  return {
    FIRNMQ_CONFORMANCE_URL: settings.url,
    FIRNMQ_CONFORMANCE_TARGET: settings.target,
    FIRNMQ_CONFORMANCE_USERS: settings.hasUsers ? 'yes' : 'no',
    FIRNMQ_CONFORMANCE_OUTCOMES: settings.outcomeFile,
  };
}

/** The variable that makes scenario files write their titles to a file, one a line, instead of running. */
export const TITLES_VARIABLE = 'FIRNMQ_CONFORMANCE_TITLES';

/** Reads what {@link toVariables} wrote; null where the file was not started by main.ts. */
export function readEnvironment(variables: NodeJS.ProcessEnv): Environment | null {
  const url = variables['FIRNMQ_CONFORMANCE_URL'];
  const target = variables['FIRNMQ_CONFORMANCE_TARGET'];
  const outcomeFile = variables['FIRNMQ_CONFORMANCE_OUTCOMES'];
  if (url === undefined || target === undefined || outcomeFile === undefined) return null;
  if (!isTargetName(target)) throw new Error(`unknown target '${target}'`);
  const parts = new URL(url);
  const isTls = parts.protocol === 'amqps:';

  return {
    isTls,
    hostname: parts.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parts.port === '' ? (isTls ? 5671 : 5672) : Number(parts.port),
    username: decodeURIComponent(parts.username || 'guest'),
    password: decodeURIComponent(parts.password || 'guest'),

    target,
    hasUsers: variables['FIRNMQ_CONFORMANCE_USERS'] === 'yes',
    outcomeFile,
  };
}
