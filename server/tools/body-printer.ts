/** Prints the file of a large body: its header and the first bytes. Size and checksum stand in the message's record. */
import {
  decodeLargeHeader,
  LARGE_HEADER_SIZE,
  largeFileNumberOf,
} from '../storage/large-file-format.ts';
import { BODY_BEGINNING, type BodyOptions } from './batch-printer.ts';
import type { DumpFile } from './dump-file.ts';
import type { DumpOutput } from './dump-output.ts';
import { crcOfBody } from './large-body-check.ts';
import { beginningOf, payloadOf } from './payload.ts';

/** The `PrintFile` of large bodies. */
export async function printBody(
  file: DumpFile,
  out: DumpOutput,
  { bodies }: BodyOptions,
): Promise<void> {
  const number = decodeLargeHeader(file.read(0, LARGE_HEADER_SIZE));
  if (typeof number === 'string') {
    out.problem(0, 0, number);
    return;
  }
  const named = largeFileNumberOf(file.name);
  if (named >= 0 && named !== number) out.problem(0, 0, `it is the file with the number ${number}`);
  const size = file.size - LARGE_HEADER_SIZE;
  const isWhole = bodies || size <= BODY_BEGINNING;
  const start = file.read(LARGE_HEADER_SIZE, isWhole ? size : BODY_BEGINNING);
  out.item({
    kind: 'body',
    offset: 0,
    depth: 0,
    fields: {
      file: number,
      payload_bytes: size,
      payload_crc32: crcOfBody(file, size),
      ...(isWhole ? payloadOf(start) : beginningOf(start, BODY_BEGINNING)),
      ...(!isWhole && { payload_cut: true }),
    },
  });
}
