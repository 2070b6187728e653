import t from 'tap';
import { parseExpiration } from './expiration.ts';

t.test('an expiration is a number of milliseconds up to ten years', async (t) => {
  for (const [text, ms] of [
    ['0', 0],
    ['60000', 60_000],
    ['+5', 5],
    ['007', 7],
    ['315360000000', 315_360_000_000],
  ] as const) {
    t.equal(parseExpiration(text), ms, text);
  }
});

t.test('anything else is refused in the words of RabbitMQ', async (t) => {
  for (const [text, reason] of [
    ['', 'no_integer'],
    ['soon', 'no_integer'],
    [' 5', 'no_integer'],
    ['+', 'no_integer'],
    ['5s', '{leftover_string,"s"}'],
    ['5 ', '{leftover_string," "}'],
    ['1.5', '{leftover_string,".5"}'],
    ['5"\\', '{leftover_string,"\\"\\\\"}'],
    ['-1', '{value_negative,-1}'],
    ['315360000001', '{value_too_large,315360000001}'],
    ['+99999999999999999999', '{value_too_large,99999999999999999999}'],
  ] as const) {
    const message = `invalid expiration '${text}': ${reason}`;
    t.throws(() => parseExpiration(text), { code: 'PRECONDITION_FAILED', message }, text);
  }
});
