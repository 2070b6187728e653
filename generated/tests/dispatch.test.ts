import fc from 'fast-check';
import t from 'tap';
import {
  type AnyMethod,
  ByteReader,
  type ClientMethods,
  dispatchToClient,
  dispatchToServer,
  METHODS,
  type ServerMethods,
} from '../index.ts';
import { encodedMethod, methodsOf } from './arbitraries.ts';

/** Notes which function was called, with what; it stands for all functions of an interface. */
function noting<T extends object>(calls: unknown[]): T {
  const target: object = {};
  return new Proxy(target, {
    get:
      (_, name) =>
      (...args: unknown[]) =>
        calls.push([name, ...args]),
  }) as T;
}

function handlerOf(method: AnyMethod): string {
  return method.name.replace(/[.-](.)/g, (_, letter: string) => letter.toUpperCase());
}

t.test('every method reaches the function of its name on the sides that may receive it', (t) => {
  for (const info of METHODS) {
    const method = fc.sample(methodsOf(info), { numRuns: 1, seed: 7 })[0]!;
    const frame = encodedMethod(1, method);
    const reader = (): ByteReader => new ByteReader(frame, 11, frame.length - 1);
    const expected = [[handlerOf(method), 'context', method.args]];
    const calls: unknown[] = [];
    const server = noting<ServerMethods<string>>(calls);
    t.equal(dispatchToServer(server, 'context', info.id, reader()), info.toServer);
    t.same(calls, info.toServer ? expected : [], method.name);
    calls.length = 0;
    const client = noting<ClientMethods<string>>(calls);
    t.equal(dispatchToClient(client, 'context', info.id, reader()), info.toClient);
    t.same(calls, info.toClient ? expected : [], method.name);
  }
  t.end();
});

t.test('an unknown id calls nothing and reads nothing', (t) => {
  const calls: unknown[] = [];
  const r = new ByteReader(Buffer.from([1, 2, 3]));
  for (const id of [0, 1, 60 * 65536, 60 * 65536 + 121, 61 * 65536 + 40, 0xffff_ffff]) {
    t.notOk(dispatchToServer(noting<ServerMethods<null>>(calls), null, id, r));
    t.notOk(dispatchToClient(noting<ClientMethods<null>>(calls), null, id, r));
  }
  t.same(calls, []);
  t.equal(r.at, 0);
  t.end();
});
