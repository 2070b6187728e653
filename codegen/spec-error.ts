/** A protocol description that does not hold together. */
import type { SpecElement } from './read-spec.ts';

/**
 * What is wrong with a spec file, and where: `rabbitmq.xml:12: class basic, method nack: ...`.
 */
export class SpecError extends Error {
  constructor(where: string, text: string) {
    super(`${where}: ${text}`);
    this.name = 'SpecError';
  }

  /** An error that names an element by file, line and the names on the way to it. */
  static at(element: SpecElement, text: string): SpecError {
    return new SpecError(`${element.file}:${element.line}: ${element.path}`, text);
  }
}
