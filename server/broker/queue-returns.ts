/**
 * What is on its way back to a queue over several turns (returner.ts). The queue counts it as ready already, and passes
 * nothing on before all of it is there: it comes before what the queue still has.
 */

/** A list of messages of which some are not back yet. */
export interface UnfinishedReturn {
  /** Puts back at once what is left of it. */
  finish(): void;
}

/** The returns to one queue; made with the first, gone with the last. */
export class QueueReturns {
  /** Messages that are not back yet. */
  count: number;
  private readonly unfinished: Set<UnfinishedReturn>;
  private readonly waiting: (() => void)[];

  constructor() {
    this.count = 0;
    this.unfinished = new Set();
    this.waiting = [];
  }

  begin(pending: UnfinishedReturn, count: number): void {
    this.unfinished.add(pending);
    this.count += count;
  }

  /** One of them is over; true when it was the last. */
  end(pending: UnfinishedReturn): boolean {
    this.unfinished.delete(pending);
    return this.unfinished.size === 0;
  }

  /** Calls `goOn` when {@link tellAll} is called. */
  wait(goOn: () => void): void {
    this.waiting.push(goOn);
  }

  /** They are over, or the queue is. */
  tellAll(): void {
    for (const goOn of this.waiting.splice(0)) goOn();
  }

  finishAll(): void {
    for (const pending of [...this.unfinished]) pending.finish();
  }
}
