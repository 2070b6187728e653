/** What `--help` of every command prints. */
import t from 'tap';
import { createProgram } from './create-program.ts';
import { MEMORY_ROWS } from './memory/memory-command.ts';
import { ROWS } from './numbers/rows.ts';
import { STORAGE_ROWS } from './storage/storage-rows.ts';

/** The help of a command, in one line. */
function helpOf(name: string): string {
  const command = createProgram().commands.find((command) => command.name() === name);
  if (command === undefined) throw new Error(`no command ${name}`);
  return command.helpInformation().replaceAll(/\s+/g, ' ');
}

t.test('no command prints objects or lists as programs write them', async (t) => {
  for (const command of createProgram().commands) {
    // A flag that takes JSON may show an empty object.
    t.notMatch(helpOf(command.name()).replaceAll('default: {}', ''), /[{[]["{\]]/, command.name());
  }
});

for (const [name, rows] of Object.entries({
  numbers: ROWS,
  storage: STORAGE_ROWS,
  memory: MEMORY_ROWS,
})) {
  t.test(
    `${name} --help names its rows by their ids, all of them measured by default`,
    async (t) => {
      const ids = rows.map(({ id }) => id).join(', ');
      t.match(helpOf(name), `commas between: ${ids} (default: all)`);
    },
  );
}

t.test('what is measured by default is every row, whatever the help calls it', async (t) => {
  const byDefault = (name: string): unknown =>
    createProgram()
      .commands.find((command) => command.name() === name)
      ?.opts()['rows'];
  t.equal(byDefault('numbers'), ROWS);
  t.equal(byDefault('storage'), STORAGE_ROWS);
});
