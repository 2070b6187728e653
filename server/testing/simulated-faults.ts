/** The failures that a test has ordered from a simulated disk: the next call of a kind, or a bad spell. */
import type { Random } from './random.ts';

/** The kinds of steps: calls that change something. */
export type SimulatedStep =
  | 'write'
  | 'truncate'
  | 'sync'
  | 'syncDirectory'
  | 'create'
  | 'rename'
  | 'delete';

/** What can fail: a step, or a call that changes nothing. */
export type SimulatedCall = SimulatedStep | 'open' | 'read';

/** A while in which calls fail. */
export interface BadSpell {
  readonly calls: readonly SimulatedCall[];
  readonly errno: string;
  /** Ends after so many calls of these kinds. */
  readonly length: number;
  /** Probability that one of them fails; 1 where it is not given. */
  readonly chance?: number;
  /** Only calls on these paths count. */
  readonly path?: RegExp;
}

/** A failure that comes now. */
export interface Fault {
  readonly errno: string;
  /** Of a write some bytes may have arrived all the same. */
  readonly isPartial: boolean;
}

interface SpellUnderWay {
  readonly spell: BadSpell;
  left: number;
}

/** What is still to fail. */
export class FaultPlan {
  private readonly next: { readonly call: SimulatedCall; readonly errno: string }[];
  private spells: SpellUnderWay[];

  constructor() {
    this.next = [];
    this.spells = [];
  }

  failNext(call: SimulatedCall, errno: string): void {
    this.next.push({ call, errno });
  }

  begin(spell: BadSpell): void {
    this.spells.push({ spell, left: spell.length });
  }

  /** The disk is well again. */
  end(): void {
    this.next.length = 0;
    this.spells = [];
  }

  /** Whether this call fails; each call is to be asked for once. */
  judge(call: SimulatedCall, path: string, random: Random): Fault | null {
    const at = this.next.findIndex((failure) => failure.call === call);
    if (at >= 0) return { errno: this.next.splice(at, 1)[0]!.errno, isPartial: false };
    let fault: Fault | null = null;
    for (const underWay of this.spells) {
      const { spell } = underWay;
      if (!spell.calls.includes(call) || spell.path?.test(path) === false) continue;
      underWay.left--;
      if (random.chance(spell.chance ?? 1)) fault ??= { errno: spell.errno, isPartial: true };
    }
    this.spells = this.spells.filter(({ left }) => left > 0);
    return fault;
  }
}
