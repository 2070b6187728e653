/** All rows, in the order in which they run: those that others are compared with come first. */
import type { Row } from './row.ts';
import { BACKLOG_ROWS } from './rows/backlog-rows.ts';
import { BIND_ROWS } from './rows/bind-rows.ts';
import { DELETE_ROW } from './rows/delete-row.ts';
import { FLOW_ROWS } from './rows/flow-rows.ts';
import { LATENCY_ROW } from './rows/latency-row.ts';
import { MANY_QUEUES_ROW } from './rows/many-queues-row.ts';
import { ROUTED_ROWS } from './rows/routed-rows.ts';
import { SIZE_ROWS } from './rows/size-rows.ts';

/** A new row is an entry in one of these lists. */
export const ROWS: readonly Row[] = [
  ...BACKLOG_ROWS,
  ...FLOW_ROWS,
  ...ROUTED_ROWS,
  MANY_QUEUES_ROW,
  LATENCY_ROW,
  ...BIND_ROWS,
  DELETE_ROW,
  ...SIZE_ROWS,
];
