import t from 'tap';
import { type FieldTable, toFieldTable } from '../../generated/index.ts';
import { findArgumentDifference, findInvalidArgument } from './queue-arguments.ts';

const table = (plain: Parameters<typeof toFieldTable>[0]): FieldTable => toFieldTable(plain);

t.test('arguments that are carried out, and those that nobody knows, are accepted', async (t) => {
  const accepted = [
    {},
    { 'x-queue-type': 'classic' },
    { 'x-queue-mode': 'lazy' },
    { 'x-queue-mode': 'default' },
    { 'x-queue-version': 1 },
    { 'x-queue-version': 2 },
    { 'x-my-own': { nested: [1, true, null] }, other: 'text' },
  ];
  for (const args of accepted) t.equal(findInvalidArgument(table(args)), null);
});

t.test('what would not be carried out is refused, by its name and with a reason', async (t) => {
  const refused = [
    [{ 'x-queue-type': 'quorum' }, 'x-queue-type', `"unsupported queue type 'quorum'"`],
    [{ 'x-queue-type': 1 }, 'x-queue-type', '{unacceptable_type,signedint}'],
    [{ 'x-queue-mode': 'fast' }, 'x-queue-mode', `"unsupported queue mode 'fast'"`],
    [{ 'x-queue-mode': true }, 'x-queue-mode', '{unacceptable_type,bool}'],
    [{ 'x-queue-version': 3 }, 'x-queue-version', `"unsupported queue version '3'"`],
    [{ 'x-queue-version': -1 }, 'x-queue-version', '{value_negative,-1}'],
    [{ 'x-queue-version': '1' }, 'x-queue-version', '"expected integer, got longstr"'],
    [{ 'x-message-ttl': 60_000 }, 'x-message-ttl', '"not supported by this version of FirnMQ"'],
    [{ a: 1, 'x-max-length': 1 }, 'x-max-length', '"not supported by this version of FirnMQ"'],
  ] as const;
  for (const [args, name, reason] of refused) {
    t.same(findInvalidArgument(table(args)), { name, reason });
  }
});

t.test('two declarations are compared by what is known, numbers by their value', async (t) => {
  const version = (tag: 'I' | 'b' | 'l', value: number): FieldTable =>
    new Map([['x-queue-version', { tag, value }]]);
  const same: readonly (readonly [FieldTable, FieldTable])[] = [
    [table({}), table({})],
    [table({ 'x-queue-type': 'classic' }), table({})],
    [table({ 'x-my-own': 1 }), table({ 'x-my-own': 2 })],
    [version('b', 2), version('I', 2)],
    [version('l', 2), version('I', 2)],
    [
      table({ 'x-queue-mode': 'lazy', 'x-queue-version': 2 }),
      table({ 'x-queue-version': 2, 'x-queue-mode': 'lazy' }),
    ],
  ];
  for (const [a, b] of same) t.equal(findArgumentDifference(a, b), null);
  t.same(findArgumentDifference(table({ 'x-queue-mode': 'lazy' }), table({})), {
    name: 'x-queue-mode',
    received: "the value 'lazy' of type 'longstr'",
    current: 'none',
  });
  t.same(findArgumentDifference(version('I', 1), version('I', 2)), {
    name: 'x-queue-version',
    received: "the value '1' of type 'signedint'",
    current: "the value '2' of type 'signedint'",
  });
});
