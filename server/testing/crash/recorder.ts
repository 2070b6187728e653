/** The events of a life, as they happen, and the model that they make: any beginning of the list is a moment. */
import type { CrashEvent } from './events.ts';
import type { Model } from './model.ts';

/** Listens to what clients ask and hear. */
export class Recorder {
  readonly events: CrashEvent[];
  /** The model as of now. */
  readonly model: Model;
  /** What the broker did that it must not. */
  readonly troubles: string[];
  private nextQuestion: number;

  /** `model` is where the life begins. */
  constructor(model: Model) {
    this.events = [];
    this.model = model;
    this.troubles = [];
    this.nextQuestion = 1;
  }

  question(): number {
    return this.nextQuestion++;
  }

  add(event: CrashEvent): void {
    this.events.push(event);
    // Inside the broker's write nobody would catch it.
    this.attempt(() => this.model.apply(event));
  }

  attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.blame(error instanceof Error ? error.message : String(error));
    }
  }

  blame(trouble: string): void {
    this.troubles.push(trouble);
  }
}
