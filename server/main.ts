#!/usr/bin/env node
/** The file that users run, once it is bundled: finds the program beside itself, and runs it (program.ts). */
import { CompiledProgram } from './compiled-program.ts';

void new CompiledProgram(import.meta.dirname, false).load('program').runProgram();
