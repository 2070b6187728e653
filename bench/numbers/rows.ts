/** All rows, in the order in which they run: those that others are compared with come first. */
import type { Row } from './row.ts';
import { BACKLOG_ROWS } from './rows/backlog-rows.ts';
import { FLOW_ROWS } from './rows/flow-rows.ts';

/** A new row is an entry in one of these lists. */
export const ROWS: readonly Row[] = [...BACKLOG_ROWS, ...FLOW_ROWS];
