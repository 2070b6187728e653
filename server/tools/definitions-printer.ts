/** Prints definitions, one method a line. */
import { decodeDefinitions } from '../storage/definitions-format.ts';
import { readDefinitionView } from './definition-view.ts';
import type { DumpFile } from './dump-file.ts';
import { type DumpOutput, LogPosition } from './dump-output.ts';

/** The `PrintFile` of `definitions.amqp`. */
export async function printDefinitions(file: DumpFile, out: DumpOutput): Promise<void> {
  const content = decodeDefinitions(file.readAll());
  if (typeof content === 'string') {
    out.problem(0, 0, content);
    return;
  }
  out.item({
    kind: 'definitions',
    offset: 0,
    depth: 0,
    fields: {
      position: new LogPosition(content.position),
      next_queue_number: content.nextQueueNumber,
    },
  });
  for (const { queue, frame } of content.definitions) {
    const { fields, problem } = readDefinitionView(frame);
    const number = queue === 0 ? {} : { number: queue };
    out.item({ kind: 'definition', offset: null, depth: 1, fields: { ...number, ...fields } });
    if (problem !== null) out.problem(null, 1, problem);
    await out.drained();
  }
  for (const reason of content.damage) out.problem(null, 0, reason);
}
