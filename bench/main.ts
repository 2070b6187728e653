#!/usr/bin/env node
/** `firnmqperf`: the load generator's command line. */
import { createProgram } from './create-program.ts';

try {
  await createProgram().parseAsync();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
