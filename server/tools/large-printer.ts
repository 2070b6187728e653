/** Prints the file of a large body: its header, and what the record of its message should say of it. */
import { crc32 } from 'node:zlib';
import { decodeLargeHeader, LARGE_HEADER_SIZE } from '../storage/large-file-format.ts';
import { BODY_BEGINNING, type BodyOptions } from './batch-printer.ts';
import type { DumpFile } from './dump-file.ts';
import type { DumpOutput } from './dump-output.ts';
import { beginningOf, payloadOf } from './payload.ts';

/** Bytes read at once. */
const PIECE_SIZE = 1024 * 1024;

/** The `PrintFile` of large bodies. */
export async function printLarge(
  file: DumpFile,
  out: DumpOutput,
  { bodies }: BodyOptions,
): Promise<void> {
  const number = decodeLargeHeader(file.read(0, LARGE_HEADER_SIZE));
  if (typeof number === 'string') {
    out.problem(0, 0, number);
    return;
  }
  const size = file.size - LARGE_HEADER_SIZE;
  let sum = 0;
  for (let at = 0; at < size; at += PIECE_SIZE) {
    sum = crc32(file.read(LARGE_HEADER_SIZE + at, PIECE_SIZE), sum);
  }
  const shown = file.read(LARGE_HEADER_SIZE, bodies ? size : BODY_BEGINNING);
  out.item({
    kind: 'body',
    offset: LARGE_HEADER_SIZE,
    depth: 0,
    fields: {
      file: number,
      payload_bytes: size,
      payload_crc32: sum,
      ...(bodies ? payloadOf(shown) : beginningOf(shown, BODY_BEGINNING)),
      ...(!bodies && size > BODY_BEGINNING && { payload_cut: true }),
    },
  });
  await out.drained();
}
