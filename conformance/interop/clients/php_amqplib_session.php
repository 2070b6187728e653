<?php
// The interop session with php-amqplib: php php_amqplib_session.php URL NAME
require_once 'PhpAmqpLib/autoload.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPDecimal;
use PhpAmqpLib\Wire\AMQPTable;

[, $url, $name] = $argv;
$exchange = "$name-exchange";
$key = 'clé.ключ.鍵';

$richHeaders = [
    'text' => 'Grüße',
    'yes' => true,
    'no' => false,
    'int' => -42,
    'big' => 2 ** 40,
    'fraction' => '1.5',
    'nothing' => null,
    'list' => [1, 'two', ['three' => 3]],
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

function received(AMQPMessage $message): array
{
    $properties = $message->get_properties();
    $headers = isset($properties['application_headers'])
        ? $properties['application_headers']->getNativeData()
        : [];
    return [$message->getBody(), $headers];
}

function message(string $body, array $headers): AMQPMessage
{
    return new AMQPMessage($body, [
        'application_headers' => new AMQPTable($headers),
        'delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT,
    ]);
}

['host' => $host, 'port' => $port, 'user' => $user, 'pass' => $password] = parse_url($url);
$connection = new AMQPStreamConnection($host, $port, $user, $password);
$channel = $connection->channel();
$channel->confirm_select();

$channel->queue_declare($name, false, true, false, false);
$channel->exchange_declare($exchange, 'direct', false, true, false);
$channel->queue_bind($name, $exchange, $key);
done('declare');

$confirmed = 0;
$channel->set_ack_handler(function () use (&$confirmed) {
    $confirmed++;
});
foreach ($messages as [$body, $headers]) {
    $channel->basic_publish(message($body, $headers), $exchange, $key);
}
$channel->wait_for_pending_acks(10);
check_equal($confirmed, count($messages));
check_equal($channel->queue_declare($name, true)[1], count($messages));
done('confirm');

$consumed = [];
$channel->basic_qos(0, 2, false);
$tag = $channel->basic_consume($name, '', false, false, false, false, function ($message) use (&$consumed) {
    $consumed[] = received($message);
    $message->ack();
});
while (count($consumed) < count($messages)) {
    $channel->wait(null, false, 10);
}
$channel->basic_cancel($tag);
check_equal($consumed, $messages);
done('consume');

$channel->basic_publish(message(...$messages[0]), $exchange, $key);
$channel->wait_for_pending_acks(10);
$got = $channel->basic_get($name);
$got->ack();
check_equal(received($got), $messages[0]);
check_equal($channel->basic_get($name), null);
done('get');

$replyCode = 0;
$channel->set_return_listener(function (int $code) use (&$replyCode) {
    $replyCode = $code;
});
$channel->basic_publish(message('lost', []), $exchange, 'nowhere', true);
$channel->wait_for_pending_acks_returns(10);
check_equal($replyCode, 312);
done('return');

check_equal($channel->queue_declare($name, true)[1], 0);
$channel->queue_delete($name);
$channel->exchange_delete($exchange);
$channel->close();
$connection->close();
done('close');
