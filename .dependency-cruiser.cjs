// The walls of the house: who may import whom. `npm run lint:walls` holds them.
//
//     codegen/runtime <- generated <- server, conformance, bench
//
// Inside the server a room may import its own files and those of the rows above it, never a room of its
// own row:
const SERVER_ROWS = [
  ['base'],
  ['config'],
  ['telemetry', 'routing'],
  ['storage'],
  ['auth'],
  ['broker'],
  ['features'],
  ['amqp', 'http', 'tools'],
];
// ... except that the AMQP sessions do not know the features: those reach them through broker/ports.ts.
const BEYOND_THE_ROWS = [['amqp', 'features']];

// The files that may touch the disk: the one door of storage, its lock, a listening socket that has a path, and
// reading a configuration.
const MAY_USE_FS =
  '^server/(storage/(fs|directory-lock)\\.ts$|base/listen-on-unix-socket\\.ts$|telemetry/pipe-output\\.ts$|config/|compiled-program\\.ts$)';

const TEST = '\\.test\\.ts$|/(testdata|testing|tests)/';

/** A rule that forbids files in `from` to import anything in `to`. */
function wall(name, comment, from, to) {
  return { name, comment, severity: 'error', from, to };
}

function serverRoomWall(room, row) {
  const above = SERVER_ROWS.slice(0, row)
    .flat()
    .filter((other) => !BEYOND_THE_ROWS.some(([a, b]) => a === room && b === other));
  const allowed = [room, ...above].join('|');
  return wall(
    `server-${room}`,
    `server/${room} imports nothing of the server but ${[room, ...above].join(', ')}.`,
    { path: `^server/${room}/` },
    { path: '^server/', pathNot: `^server/(${allowed}|testing)/` },
  );
}

module.exports = {
  forbidden: [
    wall(
      'runtime-alone',
      'The hand-written half of the protocol library stands on Node alone.',
      { path: '^codegen/runtime/', pathNot: TEST },
      { pathNot: '^codegen/runtime/', dependencyTypesNot: ['core'] },
    ),
    wall(
      'generated-on-runtime',
      'Generated code imports itself and the runtime.',
      { path: '^generated/', pathNot: TEST },
      { pathNot: '^(generated|codegen/runtime)/' },
    ),
    wall(
      'codegen-alone',
      'The generator imports nothing that is built from its output.',
      { path: '^codegen/', pathNot: TEST },
      { path: '^(generated|server|conformance|bench)/' },
    ),
    wall(
      'generator-at-build-time',
      'Only the runtime half of codegen/ is there at run time.',
      { path: '^(generated|server|conformance|bench)/', pathNot: TEST },
      { path: '^codegen/', pathNot: '^codegen/runtime/' },
    ),
    wall(
      'black-box',
      'The suite and the load generator know the broker from outside: by protocol, or as an embedder does. ' +
        'Only micro-benchmarks call its hot functions.',
      { path: '^(conformance|bench)/', pathNot: '^bench/micro/' },
      { path: '^server/', pathNot: '^server/index\\.ts$' },
    ),
    wall(
      'conformance-alone',
      'The suite does not use the load generator.',
      { path: '^conformance/' },
      { path: '^bench/' },
    ),
    wall(
      'bench-alone',
      'The load generator does not use the suite.',
      { path: '^bench/' },
      { path: '^conformance/' },
    ),
    wall(
      'server-alone',
      'The server uses neither.',
      { path: '^server/' },
      { path: '^(conformance|bench)/' },
    ),
    ...SERVER_ROWS.flatMap((rooms, row) => rooms.map((room) => serverRoomWall(room, row))),
    wall(
      'launcher-for-main',
      'The composition root is imported by the process, by the embedding surface and by test servers.',
      { path: '^server/', pathNot: `^server/(program|compiled-program|index)\\.ts$|${TEST}` },
      { path: '^server/(launcher|program|index)\\.ts$' },
    ),
    wall(
      'main-is-thin',
      'The file that is run knows how the program is loaded.',
      { path: '^server/main\\.ts$' },
      { path: '^server/', pathNot: '^server/compiled-program\\.ts$' },
    ),
    wall(
      'program-is-thin',
      'The process knows the command line, the log, the launcher and the tools.',
      { path: '^server/program\\.ts$' },
      {
        path: '^server/',
        pathNot: '^server/((launcher|tools/run-tool)\\.ts$|(base|config|telemetry)/)',
      },
    ),
    wall(
      'tools-for-main',
      'What an operator does offline is no part of the server: only the process knows it.',
      { path: '^server/', pathNot: `^server/(program\\.ts$|tools/)|${TEST}` },
      { path: '^server/tools/' },
    ),
    wall(
      'testing-in-tests',
      'What is there for tests stays out of the product.',
      { path: '^server/', pathNot: TEST },
      { path: '^server/testing/' },
    ),
    wall(
      'one-door-to-the-disk',
      'Inside the server everything else goes through storage/fs.ts, which tests replace by a faulty one.',
      { path: '^server/', pathNot: `${MAY_USE_FS}|${TEST}` },
      { path: '^(node:)?fs(/promises)?$' },
    ),
    wall(
      'product-dependencies',
      'What ships imports no package that is only there for development.',
      { path: '^(server|generated|codegen/runtime|bench)/', pathNot: TEST },
      { dependencyTypes: ['npm-dev'] },
    ),
    wall('resolvable', 'Every import leads somewhere.', {}, { couldNotResolve: true }),
    wall(
      'no-cycle',
      'No file waits for itself to load. (Two files of a room may name each other’s types.)',
      {},
      { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|codegen/testdata)/' },
    // Imports of types count as imports: a wall is about what a file has to know.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types'],
    },
  },
};
