/**
 * Bindings of a fanout exchange: a message goes to every destination, whatever its key and headers.
 * Key and arguments tell bindings apart but do not route.
 */
import type { FieldTable } from '../../codegen/runtime/field-table.ts';
import type { BindingIndex } from './binding-index.ts';
import { DestinationBag } from './destination-bag.ts';
import type { HeadersView } from './headers-view.ts';

export class FanoutIndex<D extends object> implements BindingIndex<D> {
  private readonly bag: DestinationBag<D>;
  private bindingCount: number;

  constructor() {
    this.bag = new DestinationBag();
    this.bindingCount = 0;
  }

  get size(): number {
    return this.bindingCount;
  }

  add(_bindingKey: string, _args: FieldTable, destination: D): void {
    this.bag.add(destination);
    this.bindingCount++;
  }

  remove(_bindingKey: string, _args: FieldTable, destination: D): void {
    if (this.bag.remove(destination)) this.bindingCount--;
  }

  match(_routingKey: string, _headers: Readonly<HeadersView>, out: Set<D>): void {
    this.bag.addAllTo(out);
  }
}
