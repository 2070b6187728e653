/** Runs a program to its end and keeps what it said. */
import { spawn } from 'node:child_process';

export interface CommandResult {
  /** False also when the program does not exist or took too long. */
  readonly succeeded: boolean;
  readonly stdout: string;
  /** Standard error, or why the program could not be run. */
  readonly complaint: string;
}

/** A client that hangs is a failure, not a reason to hang. */
const TIME_LIMIT_MS = 60_000;

export function runCommand(command: readonly string[]): Promise<CommandResult> {
  const [program = '', ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIME_LIMIT_MS,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.on('error', (error) => {
      resolve({ succeeded: false, stdout, complaint: error.message });
    });
    child.on('close', (code, signal) => {
      const complaint = signal === null ? stderr : `${stderr}\nended by ${signal}`;
      resolve({ succeeded: code === 0, stdout, complaint });
    });
  });
}
