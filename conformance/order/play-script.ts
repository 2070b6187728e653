/** Plays a script against a broker, on queues of its own, and holds everything against the model. */
import { setTimeout as pause } from 'node:timers/promises';
import { uniqueName } from '../support/broker.ts';
import { PATIENCE_MS, within } from '../support/deadline.ts';
import { Actor, type Scene, type Stage } from './actor.ts';
import { type Login, OrderClient, type OrderSink } from './order-client.ts';
import { QueueModel } from './queue-model.ts';
import { ACTOR_COUNT, type Burst, QUEUE_COUNT, type Script, TX_ACTOR_COUNT } from './script.ts';

const BURST_LIMIT_MS = 30_000;

/** Resolves to what the broker did wrong; null: nothing. */
export async function playScript(script: Script, scene: Scene): Promise<string | null> {
  const queues = Array.from({ length: QUEUE_COUNT }, () => uniqueName('order'));
  const model = new QueueModel(queues);
  const stage: Stage = { ...scene, model, queues, fanout: uniqueName('order-fanout') };
  const complain = (error: unknown): void => model.complain(String(error));
  const admin = await OrderClient.open(scene.login, new Bystander(model)).catch(complain);
  if (admin === undefined) return model.violation;
  const actors = Array.from(
    { length: ACTOR_COUNT },
    (_, i) => new Actor(stage, i, i >= ACTOR_COUNT - TX_ACTOR_COUNT),
  );
  try {
    await declare(admin, stage);
    const limitMs = script.length * BURST_LIMIT_MS + 60_000;
    await within(play(script, actors, stage), 'end of the script', limitMs);
  } catch (error) {
    complain(error);
  }
  await remove(admin, stage).catch(complain);
  for (const client of [...actors, admin]) client.abandon();
  return model.violation;
}

/** Why nobody can log in; null: one can. */
export async function whyUnreachable(login: Login): Promise<string | null> {
  try {
    const client = await OrderClient.open(login, new Bystander(new QueueModel([])));
    await client.close();
    return null;
  } catch (error) {
    return String(error);
  }
}

async function play(script: Script, actors: readonly Actor[], stage: Stage): Promise<void> {
  const { model, queues } = stage;
  for (const actor of actors) await actor.open();
  for (const burst of script) {
    await playBurst(burst, actors, stage);
    if (model.violation !== null) break;
  }
  model.beginBurst(actors.length);
  for (const actor of actors) await actor.close();
  if (model.violation !== null) return;
  const drainer = new Actor(stage, ACTOR_COUNT, false);
  await drainer.open();
  await rest(model, [drainer]);
  for (const queue of queues) {
    do model.beginBurst(1);
    while (await drainer.drainOne(queue));
  }
  await rest(model, [drainer]);
  await drainer.close();
}

async function performInTurn(actor: Actor, index: number, burst: Burst): Promise<void> {
  for (const step of burst) if (step.actor === index) await actor.perform(step.operation);
}

async function playBurst(
  burst: Burst,
  actors: readonly Actor[],
  { model, isPipelined }: Stage,
): Promise<void> {
  // The parts of a commit take effect one after the other.
  const isOne = burst.length === 1 && burst[0]?.operation.kind !== 'commit';
  model.beginBurst(isOne ? 1 : Math.max(2, burst.length));
  if (isPipelined) {
    await Promise.all(burst.map(({ actor, operation }) => actors[actor]!.perform(operation)));
  } else {
    await Promise.all(actors.map((actor, i) => performInTurn(actor, i, burst)));
  }
  await Promise.all(actors.map((actor) => actor.settled()));
  await rest(model, actors);
}

/**
 * Waits until everything is answered and delivered, and compares. What waits for a disk, or for the end of a connection
 * to be noticed, comes behind the answers to what was asked later; so it is asked again until nothing is missing.
 */
async function rest(model: QueueModel, actors: readonly Actor[]): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    await Promise.all(actors.map((actor) => actor.count()));
    const [counts] = await Promise.all(actors.map((actor) => actor.count()));
    if (counts === undefined) return;
    if (performance.now() > deadline || model.isAtRest(counts)) {
      model.rest(counts);
      return;
    }
    await pause(1);
  }
}

async function declare(admin: OrderClient, { queues, fanout }: Stage): Promise<void> {
  await admin.ask('exchange.declare', { exchange: fanout, type: 'fanout' }, 'exchange.declare-ok');
  for (const [i, queue] of queues.entries()) {
    // The first survives a restart, and takes another way through the broker.
    await admin.ask('queue.declare', { queue, durable: i === 0 }, 'queue.declare-ok');
    await admin.ask('queue.bind', { queue, exchange: fanout }, 'queue.bind-ok');
  }
}

async function remove(admin: OrderClient, { queues, fanout }: Stage): Promise<void> {
  for (const queue of queues) await admin.ask('queue.delete', { queue }, 'queue.delete-ok');
  await admin.ask('exchange.delete', { exchange: fanout }, 'exchange.delete-ok');
  await admin.close();
}

/** Hears nothing; anything else is wrong. */
class Bystander implements OrderSink {
  private readonly model: QueueModel;

  constructor(model: QueueModel) {
    this.model = model;
  }

  delivered(): void {
    this.model.complain('a message for nobody');
  }

  got(): void {
    this.model.complain('an answer to nobody');
  }

  confirmed(): void {
    this.model.complain('a confirm for nobody');
  }

  recovered(): void {
    this.model.complain('a recover of nobody');
  }

  failed(what: string): void {
    this.model.complain(what);
  }
}
