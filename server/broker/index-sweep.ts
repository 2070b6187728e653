/**
 * Takes the bindings of deleted queues and exchanges out of the indexes of the exchanges they began at, and parts their ends
 * where a deletion has not done so itself (topology.ts).
 *
 * Routing passes over what is deleted (route-search.ts), and so does whoever asks whether an exchange is used; so this is
 * tidying that nobody waits for. It goes in slices, one a turn: a queue may have had a hundred thousand bindings, from one
 * exchange or from as many.
 */
import type { Binding } from './binding.ts';
import type { BindingGroup, BindingGroups } from './binding-group.ts';
import type { TurnEnder } from './reactor.ts';

/** Bindings that are taken out in one turn: about a millisecond of those to a headers exchange, less of others. */
export const BINDINGS_PER_SLICE = 500;

/** What is left to tidy up in a vhost. */
export class IndexSweep implements TurnEnder {
  private readonly turnNeeded: () => void;
  private readonly deleted: Iterator<BindingGroup>[];
  /** The groups left of what is under way, and the bindings left of its group under way. */
  private groups: Iterator<BindingGroup> | null;
  private bindings: Iterator<Binding> | null;

  /** `turnNeeded` asks for a turn, at whose end {@link endTurn} is called. */
  constructor(turnNeeded: () => void) {
    this.turnNeeded = turnNeeded;
    this.deleted = [];
    this.groups = null;
    this.bindings = null;
  }

  /** Whether nothing is left to do. */
  get isDone(): boolean {
    return this.bindings === null && this.groups === null && this.deleted.length === 0;
  }

  /** One end of the groups is deleted, and has given them up: nobody else changes the map any more. */
  add(groups: BindingGroups<unknown>): void {
    if (groups.size > 0) this.deleted.push(groups.values());
    if (!this.isDone) this.turnNeeded();
  }

  endTurn(): void {
    if (this.isDone) return;
    for (let i = 0; i < BINDINGS_PER_SLICE; i++) if (!this.step()) return;
    this.turnNeeded();
  }

  /** Takes out one binding, or parts the ends of one group where no index is left; false when all is done. */
  private step(): boolean {
    for (;;) {
      const binding = this.bindings?.next();
      if (binding?.done === false) {
        const { source, bindingKey, args, destination } = binding.value;
        source.index.remove(bindingKey, args, destination);
        return true;
      }
      this.bindings = null;
      const group = this.nextGroup();
      if (group === null) return false;
      const { source, destination } = group;
      source.outgoing.delete(destination);
      destination.removeIncoming(source);
      if (source.isDeleted) return true;
      this.bindings = group[Symbol.iterator]();
    }
  }

  private nextGroup(): BindingGroup | null {
    for (;;) {
      const group = this.groups?.next();
      if (group?.done === false) return group.value;
      this.groups = this.deleted.pop() ?? null;
      if (this.groups === null) return null;
    }
  }
}
