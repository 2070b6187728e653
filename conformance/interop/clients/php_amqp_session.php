<?php
// The interop session with the amqp extension (librabbitmq): php php_amqp_session.php URL NAME
[, $url, $name] = $argv;
$key = 'clé.ключ.鍵';

$richHeaders = [
    'text' => 'Grüße',
    'yes' => true,
    'no' => false,
    'int' => -42,
    'big' => 2 ** 40,
    'fraction' => 1.5,
    'nothing' => null,
    'list' => ['one', ['two' => 2]], // integers in lists get lost in the extension
    'table' => ['inner' => ['deep' => 'value']],
];
$messages = [
    ['plain', []],
    ['Grüße, 世界 🐇', ['ключ 🗝' => 'значение']],
    ['', $richHeaders],
    [str_repeat('abcdefg', 149797), []],
];

function done(string $step): void
{
    echo "done $step\n";
}

function check_equal(mixed $found, mixed $expected): void
{
    if ($found !== $expected) {
        $texts = array_map(fn ($value) => substr(var_export($value, true), 0, 500), [$found, $expected]);
        throw new Exception("found $texts[0], expected $texts[1]");
    }
}

function received(AMQPEnvelope $envelope): array
{
    return [(string) $envelope->getBody(), $envelope->getHeaders()];
}

['host' => $host, 'port' => $port, 'user' => $user, 'pass' => $password] = parse_url($url);
$connection = new AMQPConnection([
    'host' => $host, 'port' => $port, 'login' => $user, 'password' => $password,
    'read_timeout' => 10, 'write_timeout' => 10,
]);
$connection->connect();
$channel = new AMQPChannel($connection);
$channel->confirmSelect();

$queue = new AMQPQueue($channel);
$queue->setName($name);
$queue->setFlags(AMQP_DURABLE);
$queue->declareQueue();
$exchange = new AMQPExchange($channel);
$exchange->setName("$name-exchange");
$exchange->setType(AMQP_EX_TYPE_DIRECT);
$exchange->setFlags(AMQP_DURABLE);
$exchange->declareExchange();
$queue->bind("$name-exchange", $key);
done('declare');

// A confirm may cover several messages: `false` ends the wait once the last tag is among them.
function waitForConfirm(AMQPChannel $channel, int $lastTag): void
{
    $channel->setConfirmCallback(
        fn (int $tag) => $tag < $lastTag,
        fn (int $tag) => throw new Exception("message $tag was nacked"),
    );
    $channel->waitForConfirm(10);
}

foreach ($messages as [$body, $headers]) {
    $exchange->publish($body, $key, AMQP_NOPARAM, ['headers' => $headers, 'delivery_mode' => 2]);
}
waitForConfirm($channel, count($messages));
check_equal($queue->declareQueue(), count($messages));
done('confirm');

$consumed = [];
$channel->setPrefetchCount(2);
$queue->consume(function (AMQPEnvelope $envelope, AMQPQueue $queue) use (&$consumed, $messages) {
    $consumed[] = received($envelope);
    $queue->ack($envelope->getDeliveryTag());
    return count($consumed) < count($messages);
});
$queue->cancel();
check_equal($consumed, $messages);
done('consume');

$exchange->publish($messages[0][0], $key, AMQP_NOPARAM, ['headers' => $messages[0][1]]);
waitForConfirm($channel, count($messages) + 1);
$got = $queue->get();
$queue->ack($got->getDeliveryTag());
check_equal(received($got), $messages[0]);
check_equal($queue->get(), false);
done('get');

$replyCode = 0;
$channel->setReturnCallback(function (int $code) use (&$replyCode) {
    $replyCode = $code;
    return false;
});
$exchange->publish('lost', 'nowhere', AMQP_MANDATORY);
$channel->waitForBasicReturn(10);
check_equal($replyCode, 312);
done('return');

check_equal($queue->declareQueue(), 0);
$queue->delete();
$exchange->delete();
$connection->disconnect();
done('close');
