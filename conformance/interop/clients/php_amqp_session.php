<?php
// The interop session with the amqp extension (librabbitmq).
require_once __DIR__ . '/session.php';

const FLAGS = ['durable' => AMQP_DURABLE, 'exclusive' => AMQP_EXCLUSIVE, 'passive' => AMQP_PASSIVE];

/** Names of properties in camel case, as the getters of the extension have them. */
function camel(string $name): string
{
    return str_replace('_', '', ucwords($name, '_'));
}

final class PhpAmqpDelivery implements Delivery
{
    public function __construct(private AMQPQueue $queue, private AMQPEnvelope $envelope)
    {
    }

    public function body(): string
    {
        return (string) $this->envelope->getBody();
    }

    public function headers(): array
    {
        return $this->envelope->getHeaders();
    }

    public function property(string $name): mixed
    {
        return $this->envelope->{'get' . camel($name)}();
    }

    public function isRedelivered(): bool
    {
        return $this->envelope->isRedelivery();
    }

    public function ack(bool $multiple = false): void
    {
        $this->queue->ack($this->envelope->getDeliveryTag(), $multiple ? AMQP_MULTIPLE : AMQP_NOPARAM);
    }

    public function requeue(): void
    {
        $this->queue->nack($this->envelope->getDeliveryTag(), AMQP_REQUEUE);
    }

    public function reject(): void
    {
        $this->queue->reject($this->envelope->getDeliveryTag());
    }
}

final class PhpAmqpConsumer implements Consumer
{
    public function __construct(private AMQPQueue $queue, int $prefetch)
    {
        $queue->getChannel()->setPrefetchCount($prefetch);
        $queue->consume(null, $prefetch === 0 ? AMQP_AUTOACK : AMQP_NOPARAM);
    }

    public function next(): Delivery
    {
        $arrived = null;
        $this->queue->consume(function (AMQPEnvelope $envelope) use (&$arrived) {
            $arrived = new PhpAmqpDelivery($this->queue, $envelope);
            return false;
        }, AMQP_JUST_CONSUME);
        return $arrived;
    }

    public function cancel(): void
    {
        $this->queue->cancel();
    }

    public function waitUntilCancelled(): void
    {
        throw new Exception('the extension goes on waiting');
    }
}

final class PhpAmqpTransaction implements Transaction
{
    private AMQPExchange $exchange;

    public function __construct(private AMQPChannel $channel)
    {
        $channel->startTransaction();
        $this->exchange = new AMQPExchange($channel);
    }

    public function publish(string $queue, string $body): void
    {
        $this->exchange->publish($body, $queue);
    }

    public function commit(): void
    {
        $this->channel->commitTransaction();
    }

    public function rollback(): void
    {
        $this->channel->rollbackTransaction();
    }
}

final class PhpAmqpClient implements InteropClient
{
    private AMQPConnection $connection;
    private AMQPChannel $channel;
    private int $published = 0;

    public function __construct(array $url, ?int $heartbeat = null)
    {
        ['host' => $host, 'port' => $port, 'user' => $user, 'pass' => $password] = $url;
        $this->connection = new AMQPConnection([
            'host' => $host, 'port' => $port, 'login' => $user, 'password' => $password,
            'read_timeout' => PATIENCE_S, 'write_timeout' => PATIENCE_S, 'heartbeat' => $heartbeat ?? 0,
        ] + ($url['scheme'] === 'amqps' ? ['cacert' => CA, 'verify' => true] : []));
        $this->connection->connect();
        $this->channel = new AMQPChannel($this->connection);
        $this->channel->confirmSelect();
    }

    public function richHeaders(): array
    {
        return [
            'text' => 'Grüße',
            'yes' => true,
            'no' => false,
            'int' => -42,
            'long' => 2 ** 40,
            'fraction' => 1.5,
            'nothing' => null,
            'list' => ['one', ['two' => 2]], // integers in lists get lost in the extension
            'table' => ['inner' => ['deep' => 'value']],
            'time' => new AMQPTimestamp(1_700_000_000),
            'decimal' => new AMQPDecimal(2, 314),
        ];
    }

    public function declareQueue(string $name, array $flags): array
    {
        return $this->declareOn($this->channel, $name, $flags);
    }

    public function refusalOf(string $name, array $flags): int
    {
        try {
            $this->declareOn(new AMQPChannel($this->connection), $name, $flags);
        } catch (AMQPQueueException $error) {
            return $error->getCode();
        }
        return 0;
    }

    public function declareExchange(string $name, string $type): void
    {
        $exchange = $this->exchange($name);
        $exchange->setType($type);
        $exchange->setFlags(AMQP_DURABLE);
        $exchange->declareExchange();
    }

    public function bindQueue(string $queue, string $exchange, string $key): void
    {
        $this->queue($queue)->bind($exchange, $key);
    }

    public function bindExchange(string $destination, string $source, string $key): void
    {
        $this->exchange($destination)->bind($source, $key);
    }

    public function unbindExchange(string $destination, string $source, string $key): void
    {
        $this->exchange($destination)->unbind($source, $key);
    }

    public function deleteQueue(string $name): void
    {
        $this->queue($name)->delete();
    }

    public function deleteExchange(string $name): void
    {
        $this->exchange($name)->delete();
    }

    public function publish(string $exchange, string $key, string $body, array $headers = [], array $properties = []): void
    {
        $attributes = $properties + ['headers' => $headers, 'delivery_mode' => AMQP_DURABLE];
        $this->exchange($exchange)->publish($body, $key, AMQP_NOPARAM, $attributes);
        $this->published++;
        // `false` ends the wait.
        $this->channel->setConfirmCallback(
            fn (int $tag) => $tag < $this->published,
            fn (int $tag) => throw new Exception("message $tag was nacked"),
        );
        $this->channel->waitForConfirm(PATIENCE_S);
    }

    public function publishUnroutable(string $exchange, string $key, string $body): int
    {
        $replyCode = 0;
        $this->channel->setReturnCallback(function (int $code) use (&$replyCode) {
            $replyCode = $code;
            return false;
        });
        $this->exchange($exchange)->publish($body, $key, AMQP_MANDATORY);
        $this->channel->waitForBasicReturn(PATIENCE_S);
        return $replyCode;
    }

    public function consume(string $queue, int $prefetch): Consumer
    {
        return new PhpAmqpConsumer($this->queue($queue), $prefetch);
    }

    public function get(string $queue): ?Delivery
    {
        $source = $this->queue($queue);
        $envelope = $source->get();
        return $envelope ? new PhpAmqpDelivery($source, $envelope) : null;
    }

    public function recover(): void
    {
        $this->channel->basicRecover(true);
    }

    public function transaction(): Transaction
    {
        return new PhpAmqpTransaction(new AMQPChannel($this->connection));
    }

    public function idle(float $seconds): void
    {
        // The extension sends heartbeats only while it waits for messages.
        $queue = $this->queue($this->declareQueue('', ['exclusive'])[0]);
        $this->connection->setReadTimeout($seconds);
        try {
            $queue->consume(fn () => throw new Exception('a message came'));
        } catch (AMQPQueueException $error) {
            check_equal($error->getMessage(), 'Consumer timeout exceed');
        }
        $this->connection->setReadTimeout(PATIENCE_S);
    }

    public function close(): void
    {
        $this->connection->disconnect();
    }

    private function queue(string $name): AMQPQueue
    {
        $queue = new AMQPQueue($this->channel);
        $queue->setName($name);
        return $queue;
    }

    private function exchange(string $name): AMQPExchange
    {
        $exchange = new AMQPExchange($this->channel);
        if ($name !== '') {
            $exchange->setName($name);
        }
        return $exchange;
    }

    private function declareOn(AMQPChannel $channel, string $name, array $flags): array
    {
        $queue = new AMQPQueue($channel);
        if ($name !== '') {
            $queue->setName($name);
        }
        $queue->setFlags(array_sum(array_map(fn ($flag) => FLAGS[$flag], $flags)));
        $messages = $queue->declareQueue();
        return [$queue->getName(), $messages];
    }
}

run_session(PhpAmqpClient::class);
