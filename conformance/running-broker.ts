/** A broker that the suite can be run against, however it came to run. */
export interface RunningBroker {
  readonly url: string;
  /** Whether the users of support/users.ts exist. */
  readonly hasUsers: boolean;
  /** For the summary: what was started, or that it ran already. */
  readonly description: string;
  /** Ends what was started; resolves with a complaint, or with null when all went well. */
  stop(): Promise<string | null>;
}

/** A broker that somebody else runs. */
export function brokerAt(url: string): RunningBroker {
  return { url, hasUsers: false, description: 'running already', stop: async () => null };
}
