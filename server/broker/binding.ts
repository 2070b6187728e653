/** A binding: from an exchange to a queue or another exchange. */
import type { FieldTable } from '../../generated/index.ts';
import type { Exchange } from './exchange.ts';
import type { Queue } from './queue.ts';

/** Where a binding leads. */
export type Destination = Queue | Exchange;

/** A binding as its exchange and its destination keep it. */
export interface Binding {
  /** Its key and arguments (routing/binding-id.ts): unique between its two ends. */
  readonly id: string;
  readonly source: Exchange;
  readonly destination: Destination;
  readonly bindingKey: string;
  readonly args: FieldTable;
  /** Log position of its definition; -1: it does not survive a restart. */
  definedAt: number;
}

/** What a client names in a bind or unbind. */
export interface BindingRequest {
  readonly source: string;
  readonly kind: 'queue' | 'exchange';
  readonly destination: string;
  readonly bindingKey: string;
  readonly args: FieldTable;
}
