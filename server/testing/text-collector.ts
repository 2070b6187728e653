/** A sink that keeps the text, for tests of commands. */
import type { TextSink } from '../base/text-sink.ts';

/** Collects what is written. */
export class TextCollector implements TextSink {
  text: string = '';

  write(text: string): void {
    this.text += text;
  }

  async drained(): Promise<void> {}

  /** The lines written so far, each of which has ended. */
  lines(): readonly string[] {
    return this.text.split('\n').slice(0, -1);
  }
}
