/** Processes and their descendants as Linux shows them under /proc: their CPU time, memory and open files. */
import { readdirSync, readFileSync } from 'node:fs';
import { readProcessMemory } from '../storage/process-memory.ts';

/** USER_HZ: the kernel counts CPU time in hundredths of a second for user space, on every machine. */
const TICKS_PER_SECOND = 100;
/** Fields of /proc/PID/stat behind the command's name, from the state on (proc(5) counts it as 3). */
const PARENT_FIELD = 1;
const CPU_TIME_FIELDS = [11, 12, 13, 14];

/**
 * CPU seconds of a process and all its descendants, user and system, all threads, with those of children
 * that have ended and were waited for. In steps of 10 ms.
 */
export function treeCpuSeconds(rootPid: number): number {
  let ticks = 0;
  for (const pid of treePids(rootPid)) {
    const fields = readStat(pid);
    if (fields !== null) ticks += CPU_TIME_FIELDS.reduce((sum, i) => sum + Number(fields[i]), 0);
  }
  return ticks / TICKS_PER_SECOND;
}

/** Octets that are resident of a process and all its descendants, shared pages counted whole. */
export function treeMemoryBytes(rootPid: number): number {
  return sumOverTree(rootPid, (pid) => readProcessMemory(pid).rssBytes);
}

/** Files and sockets that a process and all its descendants have open. */
export function treeOpenFileCount(rootPid: number): number {
  return sumOverTree(rootPid, (pid) => readdirSync(`/proc/${pid}/fd`).length);
}

/** A process and all its descendants, the process first. */
export function treePids(rootPid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const fields = Number.isInteger(pid) ? readStat(pid) : null;
    if (fields === null) continue;
    const parent = Number(fields[PARENT_FIELD]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const pids = [rootPid];
  for (let i = 0; i < pids.length; i++) pids.push(...(children.get(pids[i]!) ?? []));
  return pids;
}

/** The fields behind the command's name, which may contain blanks; null when there is no such process. */
function readStat(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    // It ended while the list was read.
    return null;
  }
}

/** What has ended while it was looked at counts nothing. */
function sumOverTree(rootPid: number, measure: (pid: number) => number): number {
  let sum = 0;
  for (const pid of treePids(rootPid)) {
    try {
      sum += measure(pid);
    } catch {
      // It ended while the tree was read.
    }
  }
  return sum;
}
