/**
 * Takes the bindings of deleted queues and exchanges out of the indexes of the exchanges they began at.
 *
 * A deletion parts the two ends at once (binding-group.ts), and routing passes over what is deleted (route-search.ts);
 * so this is tidying that nobody waits for. It goes in slices, one a turn: a queue may have had a hundred thousand
 * bindings.
 */
import type { Binding } from './binding.ts';
import type { BindingGroup } from './binding-group.ts';
import type { TurnEnder } from './reactor.ts';

/** Bindings that are taken out in one turn: about a millisecond of those to a headers exchange, less of others. */
export const BINDINGS_PER_SLICE = 500;

/** What is left to tidy up in a vhost. */
export class IndexSweep implements TurnEnder {
  private readonly turnNeeded: () => void;
  private readonly groups: BindingGroup[];
  /** The bindings left of the group under way. */
  private bindings: Iterator<Binding> | null;

  /** `turnNeeded` asks for a turn, at whose end {@link endTurn} is called. */
  constructor(turnNeeded: () => void) {
    this.turnNeeded = turnNeeded;
    this.groups = [];
    this.bindings = null;
  }

  /** Whether nothing is left to do. */
  get isDone(): boolean {
    return this.bindings === null && this.groups.length === 0;
  }

  /** The groups belong to a destination that is deleted; nobody else keeps them any more. */
  add(groups: Iterable<BindingGroup>): void {
    for (const group of groups) this.groups.push(group);
    if (!this.isDone) this.turnNeeded();
  }

  endTurn(): void {
    if (this.isDone) return;
    for (let i = 0; i < BINDINGS_PER_SLICE; i++) {
      const binding = this.next();
      if (binding === null) return;
      const { source, bindingKey, args, destination } = binding;
      source.index.remove(bindingKey, args, destination);
    }
    this.turnNeeded();
  }

  private next(): Binding | null {
    for (;;) {
      const result = this.bindings?.next();
      if (result?.done === false) return result.value;
      const group = this.groups.pop();
      this.bindings = group?.[Symbol.iterator]() ?? null;
      if (this.bindings === null) return null;
    }
  }
}
