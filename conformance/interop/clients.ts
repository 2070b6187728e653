/**
 * The clients that are run against the broker, none of them written here: how each is started, what it
 * must have done in the end, and what must be installed for it.
 *
 * A session is started with a URL and a name for its queue, and prints `done STEP` for every step that
 * went as it should; a failure ends it with another exit code than 0 and words on its standard error.
 */
import { join } from 'node:path';

export interface InteropClientEntry {
  readonly name: string;
  /** Program and first arguments of the session. */
  readonly session: readonly string[];
  readonly steps: readonly string[];
  /** Program and first arguments of a script with the phases `publish` and `collect`; null: none. */
  readonly restart: readonly string[] | null;
  /** A command that succeeds where the library is installed; null: an npm package of this repository. */
  readonly probe: readonly string[] | null;
  /** The Debian packages that bring it. */
  readonly packages: readonly string[];
}

const STEPS = ['declare', 'confirm', 'consume', 'get', 'return', 'close'];

/** Debian's own Python, which sees Debian's packages; another one may come first on the path. */
const PYTHON = '/usr/bin/python3';

const COMPILED = join(import.meta.dirname, 'clients');
const SOURCES = join(import.meta.dirname, '..', '..', '..', 'conformance', 'interop', 'clients');

/** The path of a script: Node.js scripts are compiled, the others run from where they are written. */
function script(name: string): string {
  return join(name.endsWith('.js') ? COMPILED : SOURCES, name);
}

function fromNpm(name: string, session: string, restart: string | null = null): InteropClientEntry {
  return {
    name,
    session: [process.execPath, script(session)],
    steps: STEPS,
    restart: restart === null ? null : [process.execPath, script(restart)],
    probe: null,
    packages: [],
  };
}

export const INTEROP_CLIENTS: readonly InteropClientEntry[] = [
  fromNpm('amqplib', 'amqplib.js', 'amqplib-restart.js'),
  fromNpm('rabbitmq-client', 'rabbitmq-client.js'),
  fromNpm('@cloudamqp/amqp-client', 'cloudamqp-client.js'),
  {
    name: 'pika',
    session: [PYTHON, script('pika_session.py')],
    steps: STEPS,
    restart: [PYTHON, script('pika_restart.py')],
    probe: [PYTHON, '-c', 'import pika'],
    packages: ['python3-pika'],
  },
  {
    name: 'kombu',
    session: [PYTHON, script('kombu_session.py')],
    steps: STEPS,
    restart: null,
    probe: [PYTHON, '-c', 'import kombu, amqp'],
    packages: ['python3-kombu'],
  },
  {
    name: 'bunny',
    session: ['ruby', script('bunny_session.rb')],
    steps: STEPS,
    restart: null,
    probe: ['ruby', '-e', 'require "bunny"'],
    packages: ['ruby-bunny'],
  },
  {
    name: 'php-amqplib',
    session: ['php', script('php_amqplib_session.php')],
    steps: STEPS,
    restart: null,
    probe: ['php', '-r', 'require "PhpAmqpLib/autoload.php";'],
    packages: ['php-cli', 'php-amqplib'],
  },
  {
    name: 'php-amqp',
    session: ['php', script('php_amqp_session.php')],
    steps: STEPS,
    restart: null,
    probe: ['php', '-r', 'exit(extension_loaded("amqp") ? 0 : 1);'],
    packages: ['php-cli', 'php-amqp'],
  },
  {
    name: 'amqp-tools',
    session: ['sh', script('amqp_tools_session.sh')],
    steps: ['declare', 'publish', 'consume', 'get', 'close'],
    restart: null,
    probe: ['sh', '-c', 'command -v amqp-consume'],
    packages: ['amqp-tools'],
  },
];
