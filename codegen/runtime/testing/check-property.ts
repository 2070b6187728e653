/** One assertion of a test: a fast-check property holds. */
import fc, { type IProperty, type Parameters } from 'fast-check';
import type { Test } from 'tap';

/** Checks the property; a counterexample fails the test and is printed with its seed. */
export function checkProperty<T>(
  t: Test,
  property: IProperty<T>,
  parameters: Parameters<T> = {},
): void {
  t.doesNotThrow(() => fc.assert(property, parameters), 'holds for all values');
}
