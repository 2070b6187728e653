/**
 * Bindings of a direct exchange: a message goes where the binding key equals its routing key.
 * Arguments tell bindings apart but do not route.
 */
import type { FieldTable } from '../../codegen/runtime/field-table.ts';
import type { BindingIndex } from './binding-index.ts';
import { DestinationBag } from './destination-bag.ts';
import type { HeadersView } from './headers-view.ts';

export class DirectIndex<D extends object> implements BindingIndex<D> {
  private readonly bagByKey: Map<string, DestinationBag<D>>;
  private bindingCount: number;

  constructor() {
    this.bagByKey = new Map();
    this.bindingCount = 0;
  }

  get size(): number {
    return this.bindingCount;
  }

  add(bindingKey: string, _args: FieldTable, destination: D): void {
    let bag = this.bagByKey.get(bindingKey);
    if (bag === undefined) {
      bag = new DestinationBag();
      this.bagByKey.set(bindingKey, bag);
    }
    bag.add(destination);
    this.bindingCount++;
  }

  remove(bindingKey: string, _args: FieldTable, destination: D): void {
    const bag = this.bagByKey.get(bindingKey);
    if (bag === undefined || !bag.remove(destination)) return;
    if (bag.isEmpty) this.bagByKey.delete(bindingKey);
    this.bindingCount--;
  }

  match(routingKey: string, _headers: Readonly<HeadersView>, out: Set<D>): void {
    this.bagByKey.get(routingKey)?.addAllTo(out);
  }
}
