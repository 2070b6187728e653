/** An exchange: how it was declared, and its bindings in the index of its kind. */
import type { FieldTable } from '../../generated/index.ts';
import type { BindingIndex } from '../routing/binding-index.ts';
import { DirectIndex } from '../routing/direct-index.ts';
import { FanoutIndex } from '../routing/fanout-index.ts';
import { validateHeadersArguments } from '../routing/headers-arguments.ts';
import { HeadersIndex } from '../routing/headers-index.ts';
import { TopicIndex } from '../routing/topic-index.ts';
import type { Destination } from './binding.ts';
import type { BindingGroup, BindingGroups } from './binding-group.ts';

/** The argument that names an {@link Exchange.alternate}. */
export const ALTERNATE_EXCHANGE = 'alternate-exchange';

/** What makes a kind of exchange. A new kind is one more entry of {@link EXCHANGE_TYPES}. */
interface ExchangeType {
  readonly createIndex: () => BindingIndex<Destination>;
  /** Whether routing looks at the message's headers, so that its result cannot be kept by routing key. */
  readonly usesHeaders: boolean;
  /** What is wrong with a binding's arguments, or null. */
  readonly validateBinding: (args: FieldTable) => string | null;
}

const acceptAny = (): null => null;

/** The exchange types by the names that clients declare. */
export const EXCHANGE_TYPES: ReadonlyMap<string, ExchangeType> = new Map<string, ExchangeType>([
  [
    'direct',
    { createIndex: () => new DirectIndex(), usesHeaders: false, validateBinding: acceptAny },
  ],
  [
    'fanout',
    { createIndex: () => new FanoutIndex(), usesHeaders: false, validateBinding: acceptAny },
  ],
  [
    'topic',
    { createIndex: () => new TopicIndex(), usesHeaders: false, validateBinding: acceptAny },
  ],
  [
    'headers',
    {
      createIndex: () => new HeadersIndex(),
      usesHeaders: true,
      validateBinding: validateHeadersArguments,
    },
  ],
]);

/** How an exchange was declared. */
export interface ExchangeDeclaration {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly args: FieldTable;
}

/** An exchange of a vhost. The default exchange has the empty name and no index: it knows all queues. */
export class Exchange {
  readonly kind: 'exchange' = 'exchange' as const;
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly args: FieldTable;
  readonly usesHeaders: boolean;
  readonly validateBinding: (args: FieldTable) => string | null;
  readonly index: BindingIndex<Destination>;
  /**
   * Name of the exchange that gets what this one routes nowhere; null: it is dropped. From the argument; a policy may
   * set it where there is none, and then says that the topology has changed. It need not exist.
   */
  alternate: string | null;
  /** Bindings that begin here, by where they lead: for some turns also to what is deleted (index-sweep.ts). */
  outgoing: Map<Destination, BindingGroup>;
  /** Log position of its definition; -1: it does not survive a restart, or always existed. */
  definedAt: number;
  isDeleted: boolean;
  private groups: Map<Exchange, BindingGroup>;

  constructor(declaration: ExchangeDeclaration, type: ExchangeType) {
    this.name = declaration.name;
    this.type = declaration.type;
    this.durable = declaration.durable;
    this.autoDelete = declaration.autoDelete;
    this.internal = declaration.internal;
    this.args = declaration.args;
    this.usesHeaders = type.usesHeaders;
    this.validateBinding = type.validateBinding;
    this.index = type.createIndex();
    this.alternate = alternateOf(declaration.args);
    this.outgoing = new Map();
    this.groups = new Map();
    this.definedAt = -1;
    this.isDeleted = false;
  }

  /** Bindings that lead here, by where they begin. */
  get incoming(): BindingGroups<Exchange> {
    return this.groups;
  }

  addIncoming(group: BindingGroup): void {
    this.groups.set(group.source, group);
  }

  removeIncoming(source: Exchange): void {
    this.groups.delete(source);
  }

  /** Whether bindings begin here. Few of what is left in {@link outgoing} is deleted: what had very many bindings. */
  get isUsed(): boolean {
    for (const destination of this.outgoing.keys()) if (!destination.isDeleted) return true;
    return false;
  }

  /** Gives up all bindings that lead here: it is deleted. */
  takeIncoming(): BindingGroups<Exchange> {
    const { groups } = this;
    this.groups = new Map();
    return groups;
  }

  /** Gives up all bindings that begin here: it is deleted. */
  takeOutgoing(): BindingGroups<Destination> {
    const { outgoing } = this;
    this.outgoing = new Map();
    return outgoing;
  }

  /** As permissions name it. */
  get resource(): string {
    return this.name === '' ? 'amq.default' : this.name;
  }
}

function alternateOf(args: FieldTable): string | null {
  const value = args.get(ALTERNATE_EXCHANGE);
  return value?.tag === 'S' ? value.value.toString() : null;
}
