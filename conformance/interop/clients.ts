/**
 * The clients that are run against the broker, none of them written here: how the session of each is
 * started, which scenarios it goes through, and what must be installed for it.
 *
 * A session is started with a URL, a name and scenarios. It runs these one by one and prints `done
 * SCENARIO`, or `failed SCENARIO` with words on standard error. In the restart scenarios it first prints
 * `ready SCENARIO`, goes on publishing, and finds the broker gone at some time after that.
 */
import { join } from 'node:path';
import { CELERY_SCENARIOS, SCENARIOS, type Scenario, type ScenarioName } from './scenarios.ts';

/** Why a client does not go through some scenarios: what it cannot do, as a sentence. */
export type Gaps = Readonly<Partial<Record<ScenarioName, string>>>;

export interface InteropClientEntry {
  readonly name: string;
  /** Program and first arguments of the session. */
  readonly session: readonly string[];
  readonly scenarios: readonly Scenario[];
  readonly gaps: Gaps;
  /** A command that succeeds where the library is installed; null: an npm package of this repository. */
  readonly probe: readonly string[] | null;
  /** The Debian packages that bring it. */
  readonly packages: readonly string[];
}

/** Debian's own Python, which sees Debian's packages; another one may come first. It leaves no compiled files. */
const PYTHON = ['/usr/bin/python3', '-B'];

const JAVA_CLASSES = ['amqp-client', 'slf4j-api', 'slf4j-nop']
  .map((library) => `/usr/share/java/${library}.jar`)
  .join(':');

const NO_RECOVERY: Gaps = { 'restart-consumer': 'It does not reconnect by itself.' };

const COMPILED = join(import.meta.dirname, 'clients');
const SOURCES = join(import.meta.dirname, '..', '..', '..', 'conformance', 'interop', 'clients');

/** The path of a script: Node.js scripts are compiled, the others run from where they are written. */
function script(name: string): string {
  return join(name.endsWith('.js') ? COMPILED : SOURCES, name);
}

function gapsIn(reason: string, scenarios: readonly ScenarioName[]): Gaps {
  return Object.fromEntries(scenarios.map((scenario) => [scenario, reason]));
}

function fromNpm(name: string, session: string, gaps: Gaps = {}): InteropClientEntry {
  return {
    name,
    session: [process.execPath, script(session)],
    scenarios: SCENARIOS,
    gaps,
    probe: null,
    packages: [],
  };
}

/** A library of Debian's Python. */
function fromPython(
  name: string,
  file: string,
  modules: string,
  packages: readonly string[],
  gaps: Gaps = {},
): InteropClientEntry {
  return {
    name,
    session: [...PYTHON, script(file)],
    scenarios: SCENARIOS,
    gaps,
    probe: [...PYTHON, '-c', `import ${modules}`],
    packages,
  };
}

export const INTEROP_CLIENTS: readonly InteropClientEntry[] = [
  fromNpm('amqplib', 'amqplib.js', { tx: 'It has no transactions.', ...NO_RECOVERY }),
  fromNpm('rabbitmq-client', 'rabbitmq-client.js'),
  fromNpm('@cloudamqp/amqp-client', 'cloudamqp-client.js'),
  fromPython('pika', 'pika_session.py', 'pika', ['python3-pika'], NO_RECOVERY),
  fromPython('kombu', 'kombu_session.py', 'kombu, amqp', ['python3-kombu'], NO_RECOVERY),
  fromPython('aio-pika', 'aio_pika_session.py', 'aio_pika', ['python3-aio-pika'], {
    cancel: 'It drops the consumer without telling its user.',
  }),
  {
    name: 'bunny',
    session: ['ruby', script('bunny_session.rb')],
    scenarios: SCENARIOS,
    gaps: {},
    probe: ['ruby', '-e', 'require "bunny"'],
    packages: ['ruby-bunny'],
  },
  {
    name: 'php-amqplib',
    session: ['php', script('php_amqplib_session.php')],
    scenarios: SCENARIOS,
    gaps: NO_RECOVERY,
    probe: ['php', '-r', 'require "PhpAmqpLib/autoload.php";'],
    packages: ['php-cli', 'php-amqplib'],
  },
  {
    name: 'php-amqp',
    session: ['php', script('php_amqp_session.php')],
    scenarios: SCENARIOS,
    gaps: { cancel: 'It goes on waiting for messages.', ...NO_RECOVERY },
    probe: ['php', '-r', 'exit(extension_loaded("amqp") ? 0 : 1);'],
    packages: ['php-cli', 'php-amqp'],
  },
  {
    name: 'Java client',
    session: ['java', '-cp', JAVA_CLASSES, script('JavaSession.java')],
    scenarios: SCENARIOS,
    gaps: {},
    probe: ['sh', '-c', 'command -v javac && test -e /usr/share/java/amqp-client.jar'],
    packages: ['openjdk-17-jdk-headless', 'librabbitmq-client-java', 'libslf4j-java'],
  },
  {
    name: 'amqp-tools',
    session: ['sh', script('amqp_tools_session.sh')],
    scenarios: SCENARIOS,
    gaps: gapsIn('The tools have no option for it.', [
      'confirm',
      'settle',
      'return',
      'rpc',
      'direct-reply-to',
      'headers',
      'properties',
      'tx',
      'exchange-binding',
      'recover',
      'cancel',
      'restart-sigterm',
      'restart-sigkill',
      'restart-consumer',
    ]),
    probe: ['sh', '-c', 'command -v amqp-consume'],
    packages: ['amqp-tools'],
  },
  {
    name: 'Celery',
    session: [...PYTHON, script('celery_session.py')],
    scenarios: CELERY_SCENARIOS,
    gaps: {},
    probe: [...PYTHON, '-c', 'import celery'],
    packages: ['python3-celery'],
  },
];

/** The scenarios that a client goes through, in the order of the list. */
export function scenariosOf({ scenarios, gaps }: InteropClientEntry): ScenarioName[] {
  return scenarios.map(({ name }) => name).filter((name) => gaps[name] === undefined);
}
