/** Runs a program to its end and keeps what it said. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface CommandResult {
  /** False also when the program does not exist or took too long. */
  readonly succeeded: boolean;
  /** Standard error, or why the program could not be run. */
  readonly complaint: string;
}

/** A client that hangs is a failure, not a reason to hang. */
const TIME_LIMIT_MS = 150_000;

/**
 * @param onLine is given every line of standard output as it comes
 * @param variables are added to the environment
 */
export function runCommand(
  command: readonly string[],
  onLine: (line: string) => void = () => undefined,
  variables: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const [program = '', ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...variables },
      timeout: TIME_LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    let stderr = '';
    createInterface({ input: child.stdout }).on('line', onLine);
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.on('error', (error) => {
      resolve({ succeeded: false, complaint: error.message });
    });
    child.on('close', (code, signal) => {
      const complaint = signal === null ? stderr : `${stderr}\nended by ${signal}`;
      resolve({ succeeded: code === 0, complaint });
    });
  });
}
