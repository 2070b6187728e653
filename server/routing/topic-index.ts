/**
 * Bindings of a topic exchange. Keys are words separated by dots; in a binding key `*` stands for exactly
 * one word and `#` for any number of them, none included. An empty word is a word: `a..b` has three, and
 * the empty key has one.
 *
 * The binding keys form a trie; after `a.*.c`, `a.#` and `a.b`:
 *
 *     root -- a --+-- b (a.b)
 *                 +-- * -- c (a.*.c)
 *                 +-- # (a.#)
 *
 * A match walks the trie with all nodes at once that the words read so far may have led to, as one runs a
 * nondeterministic automaton: a `#` node stays where it is for every word, and a node is entered together
 * with its `#` child, which may stand for no word. Each node is at most once in that set, so the work is
 * bounded by words times nodes reached, however many `#` the patterns hold, and bindings whose first words
 * do not fit are never looked at.
 */
import type { FieldTable } from '../../codegen/runtime/field-table.ts';
import type { BindingIndex } from './binding-index.ts';
import { DestinationBag } from './destination-bag.ts';
import type { HeadersView } from './headers-view.ts';

const ONE_WORD = '*';
const ANY_WORDS = '#';

class TopicNode<D extends object> {
  /** True for the node of a `#`, which every further word leaves where it is. */
  readonly staysForAnyWord: boolean;
  /** Children by literal word; null while there is none. */
  literals: Map<string, TopicNode<D>> | null;
  oneWord: TopicNode<D> | null;
  anyWords: TopicNode<D> | null;
  /** Where the binding keys that end here lead; null while none does. */
  bag: DestinationBag<D> | null;
  /** The last step of a match that entered this node. */
  enteredAtStep: number;

  constructor(staysForAnyWord: boolean) {
    this.staysForAnyWord = staysForAnyWord;
    this.literals = null;
    this.oneWord = null;
    this.anyWords = null;
    this.bag = null;
    this.enteredAtStep = 0;
  }

  get isUnused(): boolean {
    return (
      this.bag === null && this.literals === null && this.oneWord === null && this.anyWords === null
    );
  }

  child(word: string): TopicNode<D> | null {
    if (word === ONE_WORD) return this.oneWord;
    if (word === ANY_WORDS) return this.anyWords;
    return this.literals?.get(word) ?? null;
  }

  ensureChild(word: string): TopicNode<D> {
    const existing = this.child(word);
    if (existing !== null) return existing;
    const created = new TopicNode<D>(word === ANY_WORDS);
    if (word === ONE_WORD) this.oneWord = created;
    else if (word === ANY_WORDS) this.anyWords = created;
    else {
      this.literals ??= new Map();
      this.literals.set(word, created);
    }
    return created;
  }

  dropChild(word: string): void {
    if (word === ONE_WORD) this.oneWord = null;
    else if (word === ANY_WORDS) this.anyWords = null;
    else if (this.literals !== null) {
      this.literals.delete(word);
      if (this.literals.size === 0) this.literals = null;
    }
  }
}

export class TopicIndex<D extends object> implements BindingIndex<D> {
  private readonly root: TopicNode<D>;
  private bindingCount: number;
  /** Counts the words of all matches, so that `enteredAtStep` never needs to be cleared. */
  private step: number;
  /** The nodes that the words read so far lead to, and those for one word more; empty between matches. */
  private current: TopicNode<D>[];
  private next: TopicNode<D>[];

  constructor() {
    this.root = new TopicNode(false);
    this.bindingCount = 0;
    this.step = 0;
    this.current = [];
    this.next = [];
  }

  get size(): number {
    return this.bindingCount;
  }

  add(bindingKey: string, _args: FieldTable, destination: D): void {
    let node = this.root;
    for (const word of bindingKey.split('.')) node = node.ensureChild(word);
    node.bag ??= new DestinationBag();
    node.bag.add(destination);
    this.bindingCount++;
  }

  remove(bindingKey: string, _args: FieldTable, destination: D): void {
    const words = bindingKey.split('.');
    const path: TopicNode<D>[] = [this.root];
    for (const word of words) {
      const child = path[path.length - 1]!.child(word);
      if (child === null) return;
      path.push(child);
    }
    const last = path[words.length]!;
    if (last.bag === null || !last.bag.remove(destination)) return;
    this.bindingCount--;
    if (last.bag.isEmpty) last.bag = null;
    for (let depth = words.length; depth > 0 && path[depth]!.isUnused; depth--) {
      path[depth - 1]!.dropChild(words[depth - 1]!);
    }
  }

  /** HOT per publish that misses the channel's route cache. Reuses its two node lists between calls. */
  match(routingKey: string, _headers: Readonly<HeadersView>, out: Set<D>): void {
    this.step++;
    this.enter(this.root, this.current);
    let wordStart = 0;
    while (wordStart <= routingKey.length && this.current.length > 0) {
      let wordEnd = routingKey.indexOf('.', wordStart);
      if (wordEnd < 0) wordEnd = routingKey.length;
      this.readWord(routingKey.substring(wordStart, wordEnd));
      wordStart = wordEnd + 1;
    }
    for (let i = 0; i < this.current.length; i++) this.current[i]!.bag?.addAllTo(out);
    this.current.length = 0;
  }

  private readWord(word: string): void {
    this.step++;
    const { current, next } = this;
    for (let i = 0; i < current.length; i++) {
      const node = current[i]!;
      if (node.staysForAnyWord) this.enter(node, next);
      if (node.oneWord !== null) this.enter(node.oneWord, next);
      const literal = node.literals?.get(word);
      if (literal !== undefined) this.enter(literal, next);
    }
    current.length = 0;
    this.current = next;
    this.next = current;
  }

  /** Adds a node, and the `#` nodes that follow it without a word, unless this step has them already. */
  private enter(node: TopicNode<D>, into: TopicNode<D>[]): void {
    let entered: TopicNode<D> | null = node;
    while (entered !== null && entered.enteredAtStep !== this.step) {
      entered.enteredAtStep = this.step;
      into.push(entered);
      entered = entered.anyWords;
    }
  }
}
