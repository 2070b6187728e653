<?php
// The interop session with php-amqplib.
require_once 'PhpAmqpLib/autoload.php';
require_once __DIR__ . '/session.php';

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Connection\AMQPSSLConnection;
use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPBasicCancelException;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Exception\AMQPTimeoutException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

final class PhpAmqplibDelivery implements Delivery
{
    public function __construct(private AMQPMessage $message)
    {
    }

    public function body(): string
    {
        return $this->message->getBody();
    }

    public function headers(): array
    {
        return $this->message->get_properties()['application_headers']->getNativeData();
    }

    public function property(string $name): mixed
    {
        return $this->message->get($name);
    }

    public function isRedelivered(): bool
    {
        return $this->message->isRedelivered();
    }

    public function ack(bool $multiple = false): void
    {
        $this->message->ack($multiple);
    }

    public function requeue(): void
    {
        $this->message->nack(true);
    }

    public function reject(): void
    {
        $this->message->reject(false);
    }
}

final class PhpAmqplibConsumer implements Consumer
{
    private array $arrived = [];
    private string $tag;

    public function __construct(private AMQPChannel $channel, string $queue, int $prefetch)
    {
        $channel->basic_qos(0, $prefetch, false);
        $onMessage = function (AMQPMessage $message) {
            $this->arrived[] = new PhpAmqplibDelivery($message);
        };
        $this->tag = $channel->basic_consume($queue, '', false, $prefetch === 0, false, false, $onMessage);
    }

    public function next(): Delivery
    {
        while ($this->arrived === []) {
            $this->channel->wait(null, false, PATIENCE_S);
        }
        return array_shift($this->arrived);
    }

    public function cancel(): void
    {
        $this->channel->basic_cancel($this->tag);
    }

    public function waitUntilCancelled(): void
    {
        try {
            $this->channel->wait(null, false, PATIENCE_S);
        } catch (AMQPBasicCancelException) {
            return;
        }
        throw new Exception('something else came');
    }
}

final class PhpAmqplibTransaction implements Transaction
{
    public function __construct(private AMQPChannel $channel)
    {
        $channel->tx_select();
    }

    public function publish(string $queue, string $body): void
    {
        $this->channel->basic_publish(new AMQPMessage($body), '', $queue);
    }

    public function commit(): void
    {
        $this->channel->tx_commit();
    }

    public function rollback(): void
    {
        $this->channel->tx_rollback();
    }
}

final class PhpAmqplibClient implements InteropClient
{
    private AMQPStreamConnection $connection;
    private AMQPChannel $channel;
    private int $nacked = 0;

    public function __construct(array $url, ?int $heartbeat = null)
    {
        ['host' => $host, 'port' => $port, 'user' => $user, 'pass' => $password] = $url;
        $address = [$host, $port, $user, $password];
        $timing = ['read_write_timeout' => PATIENCE_S, 'heartbeat' => $heartbeat ?? 0];
        $this->connection = $url['scheme'] === 'amqps'
            ? new AMQPSSLConnection(...$address, ssl_options: ['cafile' => CA, 'verify_peer' => true], options: $timing)
            : new AMQPStreamConnection(...$address, ...$timing);
        $this->channel = $this->connection->channel();
        $this->channel->confirm_select();
        $this->channel->set_nack_handler(function () {
            $this->nacked++;
        });
    }

    public function richHeaders(): array
    {
        return [
            'text' => 'Grüße',
            'yes' => true,
            'no' => false,
            'int' => -42,
            'long' => 2 ** 40,
            'nothing' => null,
            'list' => [1, 'two', ['three' => 3], [null]],
            'table' => ['inner' => ['deep' => 'value']],
            'time' => new DateTime('@1700000000'),
        ];
    }

    public function declareQueue(string $name, array $flags): array
    {
        return $this->declareOn($this->channel, $name, $flags);
    }

    public function refusalOf(string $name, array $flags): int
    {
        try {
            $this->declareOn($this->connection->channel(), $name, $flags);
        } catch (AMQPProtocolChannelException $error) {
            return $error->amqp_reply_code;
        }
        return 0;
    }

    public function declareExchange(string $name, string $type): void
    {
        $this->channel->exchange_declare($name, $type, false, true, false);
    }

    public function bindQueue(string $queue, string $exchange, string $key): void
    {
        $this->channel->queue_bind($queue, $exchange, $key);
    }

    public function bindExchange(string $destination, string $source, string $key): void
    {
        $this->channel->exchange_bind($destination, $source, $key);
    }

    public function unbindExchange(string $destination, string $source, string $key): void
    {
        $this->channel->exchange_unbind($destination, $source, $key);
    }

    public function deleteQueue(string $name): void
    {
        $this->channel->queue_delete($name);
    }

    public function deleteExchange(string $name): void
    {
        $this->channel->exchange_delete($name);
    }

    public function publish(string $exchange, string $key, string $body, array $headers = [], array $properties = []): void
    {
        $message = new AMQPMessage($body, $properties + [
            'application_headers' => new AMQPTable($headers),
            'delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT,
        ]);
        $this->channel->basic_publish($message, $exchange, $key);
        $this->channel->wait_for_pending_acks(PATIENCE_S);
        check_equal($this->nacked, 0);
    }

    public function publishUnroutable(string $exchange, string $key, string $body): int
    {
        $replyCode = 0;
        $this->channel->set_return_listener(function (int $code) use (&$replyCode) {
            $replyCode = $code;
        });
        $this->channel->basic_publish(new AMQPMessage($body), $exchange, $key, true);
        $this->channel->wait_for_pending_acks_returns(PATIENCE_S);
        return $replyCode;
    }

    public function consume(string $queue, int $prefetch): Consumer
    {
        return new PhpAmqplibConsumer($this->channel, $queue, $prefetch);
    }

    public function get(string $queue): ?Delivery
    {
        $message = $this->channel->basic_get($queue);
        return $message === null ? null : new PhpAmqplibDelivery($message);
    }

    public function recover(): void
    {
        $this->channel->basic_recover(true);
    }

    public function transaction(): Transaction
    {
        return new PhpAmqplibTransaction($this->connection->channel());
    }

    public function idle(float $seconds): void
    {
        $end = microtime(true) + $seconds;
        while (microtime(true) < $end) {
            try {
                $this->channel->wait(null, false, 0.25);
            } catch (AMQPTimeoutException) {
                $this->connection->checkHeartBeat();
            }
        }
    }

    public function close(): void
    {
        $this->connection->close();
    }

    private function declareOn(AMQPChannel $channel, string $name, array $flags): array
    {
        $has = fn (string $flag) => in_array($flag, $flags, true);
        $reply = $channel->queue_declare($name, $has('passive'), $has('durable'), $has('exclusive'), false);
        return [$reply[0], $reply[1]];
    }
}

run_session(PhpAmqplibClient::class);
