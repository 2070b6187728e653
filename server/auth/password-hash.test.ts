import t from 'tap';
import { hashPassword, isPasswordHash, verifyPassword } from './password-hash.ts';

// The example of RabbitMQ's documentation: password `test12` under the salt 0x908DC60A.
const exampleHash = 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR';

t.test("a hash is the one of RabbitMQ's documentation", async (t) => {
  t.equal(hashPassword('test12', Buffer.from('908DC60A', 'hex')), exampleHash);
  t.ok(verifyPassword('test12', exampleHash));
  t.notOk(verifyPassword('test13', exampleHash));
});

t.test(
  'every password, Unicode and empty ones included, is verified by its own hash alone',
  async (t) => {
    const passwords = ['', 'a', 'pässwörd', '🔑'.repeat(100), 'with\0zero'];
    for (const password of passwords) {
      const hash = hashPassword(password);
      t.ok(isPasswordHash(hash));
      t.same(
        passwords.filter((other) => verifyPassword(other, hash)),
        [password],
      );
    }
  },
);

t.test('two hashes of one password differ', async (t) => {
  t.not(hashPassword('guest'), hashPassword('guest'));
});

t.test('what is not a hash is told apart and verifies nothing', async (t) => {
  for (const text of [
    '',
    'x',
    '!',
    exampleHash.slice(4),
    `${exampleHash}AAAA`,
    `${exampleHash}\n`,
  ]) {
    t.notOk(isPasswordHash(text), text);
  }
  t.notOk(verifyPassword('', ''));
  t.notOk(verifyPassword('test12', exampleHash.slice(4)));
});
