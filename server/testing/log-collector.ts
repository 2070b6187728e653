/** A logger whose lines a test looks at. */
import { createLogger, type Logger } from '../telemetry/logger.ts';
import { eventually } from './eventually.ts';

/** One line, as JSON. */
export type LoggedLine = Readonly<Record<string, unknown>>;

/** Keeps what is logged. */
export class LogCollector {
  readonly logger: Logger;
  readonly lines: LoggedLine[] = [];

  constructor() {
    const write = (line: string) => this.lines.push(JSON.parse(line) as LoggedLine);
    this.logger = createLogger({ level: 'debug', output: { write: (line) => void write(line) } });
  }

  /** All lines of an event so far. */
  of(event: string): readonly LoggedLine[] {
    return this.lines.filter((line) => line['event'] === event);
  }

  /** The first line of an event, past or to come. */
  expect(event: string): Promise<LoggedLine> {
    return eventually(() => {
      const line = this.of(event)[0];
      if (line !== undefined) return line;
      const events = this.lines.map((other) => String(other['event']));
      throw new Error(`'${event}' is not logged, but: ${events.join(', ')}`);
    });
  }
}
