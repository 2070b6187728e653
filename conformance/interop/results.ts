/** What came of the scenarios of a run. */
import type { InteropClientEntry } from './clients.ts';
import type { ScenarioName } from './scenarios.ts';
import { NOT_RUN, resultsOf } from './table.ts';

export class Results {
  private readonly cells: Map<string, boolean>;
  private troubles: number;

  constructor() {
    this.cells = new Map();
    this.troubles = 0;
  }

  get passed(): number {
    return [...this.cells.values()].filter((passed) => passed).length;
  }

  get failed(): number {
    return this.troubles + this.cells.size - this.passed;
  }

  record(client: InteropClientEntry, scenario: ScenarioName, passed: boolean): void {
    this.cells.set(`${client.name} ${scenario}`, passed);
  }

  /** Says at once what went wrong with scenarios that are recorded as failed. */
  explain(title: string, explanation: string): void {
    console.log(`FAILED ${title}\n${explanation}`);
  }

  /** A failure that belongs to no scenario. */
  trouble(title: string, explanation: string): void {
    this.troubles++;
    this.explain(title, explanation);
  }

  /** The table of the run: `ok`, `FAILED`, or not asked for; and the counts as last line. */
  summary(clients: readonly InteropClientEntry[]): string {
    const table = resultsOf(clients, ({ name }, scenario) => {
      const passed = this.cells.get(`${name} ${scenario}`);
      if (passed === undefined) return NOT_RUN;
      return passed ? 'ok' : 'FAILED';
    });
    return `${table}\n${this.passed} passed, ${this.failed} failed`;
  }
}
