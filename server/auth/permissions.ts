/**
 * What one user may do in one vhost: three patterns, matched against the names of exchanges and queues.
 *
 * As in RabbitMQ the patterns are unanchored regular expressions, and an empty one matches the empty
 * name alone. They are JavaScript's: what only PCRE knows, such as `(?i)`, is refused when the user is
 * read. Answers are kept per name, in a bounded cache.
 */

/** The three patterns, as users.json and RabbitMQ's definitions have them. */
export interface PermissionPatterns {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** Names whose answers one pattern keeps. Past it all are forgotten, which costs one match each. */
const CACHED_NAMES_MAX = 1024;

class NamePattern {
  private readonly regex: RegExp;
  private readonly answers: Map<string, boolean> = new Map();

  constructor(pattern: string) {
    this.regex = new RegExp(pattern === '' ? '^$' : pattern);
  }

  matches(name: string): boolean {
    const known = this.answers.get(name);
    if (known !== undefined) return known;
    const answer = this.regex.test(name);
    if (this.answers.size === CACHED_NAMES_MAX) this.answers.clear();
    this.answers.set(name, answer);
    return answer;
  }
}

/** Decides by resource name. The default exchange is named `amq.default` here, as in RabbitMQ. */
export class Permissions {
  readonly patterns: PermissionPatterns;
  private readonly configure: NamePattern;
  private readonly write: NamePattern;
  private readonly read: NamePattern;

  /** @throws SyntaxError when a pattern is not a regular expression */
  constructor(patterns: PermissionPatterns) {
    this.patterns = patterns;
    this.configure = new NamePattern(patterns.configure);
    this.write = new NamePattern(patterns.write);
    this.read = new NamePattern(patterns.read);
  }

  /** Whether the user may declare and delete it. */
  canConfigure(resource: string): boolean {
    return this.configure.matches(resource);
  }

  /** Whether the user may publish or bind to it. */
  canWrite(resource: string): boolean {
    return this.write.matches(resource);
  }

  /** Whether the user may consume from, purge or bind from it. */
  canRead(resource: string): boolean {
    return this.read.matches(resource);
  }
}
