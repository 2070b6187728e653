/** Streams of basic.deliver with bodies of any size, for tests and micro-benchmarks. */
import { encodeBasicDeliver, sizeOfBasicDeliver } from '../../generated/index.ts';
import { encodeContent, sizeOfContent } from '../amqp/content.ts';
import { BENCH_CHANNEL } from '../amqp/traffic-scanner.ts';

/** One delivery for each size in `bodySizes`, with delivery tags from 1 on; `frameMax` 0: no limit. */
export function encodeDeliveries(bodySizes: readonly number[], frameMax: number): Buffer {
  const frames = bodySizes.map((bodySizeBytes, index) => {
    const deliver = {
      consumerTag: 'c',
      deliveryTag: index + 1,
      redelivered: false,
      exchange: '',
      routingKey: 'perf-test',
    };
    const properties = index % 2 === 0 ? {} : { deliveryMode: 2 };
    const buf = Buffer.alloc(
      sizeOfBasicDeliver(deliver) + sizeOfContent(properties, bodySizeBytes, frameMax),
    );
    const at = encodeBasicDeliver(buf, 0, BENCH_CHANNEL, deliver);
    const body = Buffer.alloc(bodySizeBytes, 0xce);
    encodeContent(buf, at, BENCH_CHANNEL, properties, body, frameMax);
    return buf;
  });
  return Buffer.concat(frames);
}
