/** Names of the spec (`recover-async`) in the forms of the generated code. */

/** Words that cannot name a local, and the names that generated functions use themselves. */
const TAKEN_LOCALS: ReadonlySet<string> = new Set(
  (
    'arguments await break case catch class const continue debugger default delete do else enum eval ' +
    'export extends false finally for function if implements import in instanceof interface let new ' +
    'null package private protected public return static super switch this throw true try typeof ' +
    'undefined var void while with yield r buf at m'
  ).split(' '),
);
const BITS_LOCAL_PATTERN = /^bits\d*$/;

/** `queue`, `declare-ok` -> `queueDeclareOk`. */
export function camelCase(...names: readonly string[]): string {
  const pascal = pascalCase(...names);
  return pascal.charAt(0).toLowerCase() + pascal.slice(1);
}

/** `queue`, `declare-ok` -> `QueueDeclareOk`. */
export function pascalCase(...names: readonly string[]): string {
  return words(names)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}

/** `queue`, `declare-ok` -> `QUEUE_DECLARE_OK`. */
export function screamingSnakeCase(...names: readonly string[]): string {
  return words(names).join('_').toUpperCase();
}

/** The name of a local variable for this field: the property's name where that is free. */
export function localName(field: string): string {
  const name = camelCase(field);
  return TAKEN_LOCALS.has(name) || BITS_LOCAL_PATTERN.test(name) ? `${name}Value` : name;
}

function words(names: readonly string[]): readonly string[] {
  return names.flatMap((name) => name.split('-'));
}
