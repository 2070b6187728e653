#!/usr/bin/env node
/** `firnmqperf`: the load generator's command line. */
import { Command } from 'commander';
import { addChurnCommands } from './churn/churn-commands.ts';
import { addConnectionsCommand } from './connections/connections-command.ts';
import { addCountCommands } from './counts/count-commands.ts';
import { addFairnessCommand } from './fairness/fairness-command.ts';
import { addMemoryCommand } from './memory/memory-command.ts';
import { addMicroCommand } from './micro/micro-command.ts';
import { addNumbersCommand } from './numbers/numbers-command.ts';
import { addStorageCommand } from './storage/storage-command.ts';
import { addThroughputCommand } from './throughput/throughput-command.ts';

const program = new Command('firnmqperf').description('load generator for AMQP 0-9-1 brokers');
addThroughputCommand(program);
addChurnCommands(program);
addConnectionsCommand(program);
addCountCommands(program);
addNumbersCommand(program);
addFairnessCommand(program);
addMemoryCommand(program);
addStorageCommand(program);
addMicroCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
