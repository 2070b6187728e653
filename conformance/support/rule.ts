/** Rule ids: the short name of what a scenario shows, at the end of its title. */

const RULE_AT_END = / \[([a-z-]+\.[a-z-]+\/[a-z0-9-]+)\]$/;

/**
 * The rule id `class.method/rule` of a title.
 *
 * @throws Error when the title ends with none
 */
export function ruleOf(title: string): string {
  const rule = RULE_AT_END.exec(title)?.[1];
  if (rule === undefined) throw new Error(`no rule id at the end of '${title}'`);
  return rule;
}
