/** All commands of `firnmqperf`. */
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

/** The program, to be given a command line; each command is an entry here. */
export function createProgram(): Command {
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
  return program;
}
