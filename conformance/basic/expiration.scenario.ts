import { expectChannelError, publish } from '../support/amqp.ts';
import { scenario } from '../support/scenario.ts';

const METHOD = 'basic.publish';

for (const expiration of ['0', '60000', '+5', '315360000000']) {
  scenario(
    `an expiration of '${expiration}' is accepted [basic.publish/expiration-${expiration.replace('+', 'plus-')}]`,
    async (t, broker) => {
      const channel = await broker.channel();
      await publish(channel, '', 'nowhere', 'fine', { expiration });
      t.pass('it was confirmed');
    },
  );
}

const REFUSED = {
  empty: ['', 'no_integer'],
  text: ['soon', 'no_integer'],
  space: [' 5', 'no_integer'],
  unit: ['5s', '{leftover_string,"s"}'],
  fraction: ['1.5', '{leftover_string,".5"}'],
  negative: ['-1', '{value_negative,-1}'],
  large: ['315360000001', '{value_too_large,315360000001}'],
} as const;

for (const [rule, [expiration, reason]] of Object.entries(REFUSED)) {
  scenario(
    `an expiration of '${expiration}' closes the channel with 406 [basic.publish/expiration-${rule}]`,
    async (t, broker) => {
      const channel = await broker.channel();
      const text = `PRECONDITION_FAILED - invalid expiration '${expiration}': ${reason}`;
      await expectChannelError(t, channel, { code: 406, text, method: METHOD }, () =>
        publish(channel, '', 'nowhere', 'refused', { expiration }),
      );
    },
  );
}

for (const deliveryMode of [0, 3, 255]) {
  scenario(
    `a delivery mode of ${deliveryMode} closes the channel with 406 [basic.publish/delivery-mode-${deliveryMode}]`,
    async (t, broker) => {
      const channel = await broker.channel();
      const text = `PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,${deliveryMode}}`;
      await expectChannelError(t, channel, { code: 406, text, method: METHOD }, () =>
        publish(channel, '', 'nowhere', 'refused', { deliveryMode }),
      );
    },
  );
}
