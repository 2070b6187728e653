<?php
// The scenarios for the clients in PHP. One file per client defines a class that implements InteropClient and
// calls run_session, which runs the scenarios that the command line names:
//
//     php CLIENT_session.php URL NAME SCENARIO...
//
// and prints `done NAME` or `failed NAME` for each, with the reason on standard error. NAME begins the names
// of all queues and exchanges.

const PATIENCE_S = 30; // how long an answer may take before it counts as missing; only failures wait
const HEARTBEAT_S = 3; // at 1 s some libraries hang up when a loaded machine is half a second late
const SILENCE_S = 10.5; // more than three intervals: a silent side is given up after two to three
const CONFIRMED_BEFORE_RESTART = 100;
const PUBLISH_PAUSE_US = 10_000; // between the messages after those, while other clients are not yet ready
const COLLECT_PREFETCH = 100;
const CONNECT_PAUSE_US = 100_000;
define('CA', getenv('INTEROP_CA')); // whom the client trusts, where the URL asks for TLS
const UNICODE = 'clé.ключ.鍵 🗝';
const EVERY_PROPERTY = [
    'content_type' => 'application/x-note',
    'content_encoding' => 'utf-8',
    'priority' => 7,
    'correlation_id' => 'corrélation',
    'reply_to' => 'answers',
    'expiration' => '600000',
    'message_id' => 'm-1',
    'timestamp' => 1_700_000_000,
    'type' => 'greeting',
    'user_id' => 'guest',
    'app_id' => 'interop',
];

/** A message as it came from the broker. */
interface Delivery
{
    public function body(): string;
    public function headers(): array;
    public function property(string $name): mixed;
    public function isRedelivered(): bool;
    public function ack(bool $multiple = false): void;
    public function requeue(): void; // a nack with requeue
    public function reject(): void; // without requeue
}

interface Consumer
{
    public function next(): Delivery;
    public function cancel(): void;
    public function waitUntilCancelled(): void;
}

interface Transaction
{
    public function publish(string $queue, string $body): void;
    public function commit(): void;
    public function rollback(): void;
}

/** One connection with one channel in confirm mode; neither client connects again by itself. */
interface InteropClient
{
    /** @param int|null $heartbeat in seconds */
    public function __construct(array $url, ?int $heartbeat = null);
    /** Headers of every type that the library can write and reads back as they were. */
    public function richHeaders(): array;
    /** @param string[] $flags of durable, exclusive, passive. @return array{string, int} name, messages */
    public function declareQueue(string $name, array $flags): array;
    /** Declares on a channel of its own. @return int the reply code of the refusal */
    public function refusalOf(string $name, array $flags): int;
    public function declareExchange(string $name, string $type): void;
    public function bindQueue(string $queue, string $exchange, string $key): void;
    public function bindExchange(string $destination, string $source, string $key): void;
    public function unbindExchange(string $destination, string $source, string $key): void;
    public function deleteQueue(string $name): void;
    public function deleteExchange(string $name): void;
    /** Publishes a persistent message and returns once it is confirmed. */
    public function publish(string $exchange, string $key, string $body, array $headers = [], array $properties = []): void;
    /** Publishes mandatorily. @return int the reply code of the return */
    public function publishUnroutable(string $exchange, string $key, string $body): int;
    /** @param int $prefetch 0: without acks */
    public function consume(string $queue, int $prefetch): Consumer;
    public function get(string $queue): ?Delivery;
    public function recover(): void;
    public function transaction(): Transaction;
    public function idle(float $seconds): void;
    public function close(): void;
}

final class Session
{
    private array $clients = [];

    public function __construct(private string $class, private array $url, public readonly string $name)
    {
    }

    /** A new connection, closed when the scenario ends well. */
    public function connect(?int $heartbeat = null): InteropClient
    {
        return $this->clients[] = new $this->class($this->url, $heartbeat);
    }

    /** A connection and the name of an exclusive queue of it. @return array{InteropClient, string} */
    public function withQueue(?int $heartbeat = null): array
    {
        $client = $this->connect($heartbeat);
        return [$client, $client->declareQueue('', ['exclusive'])[0]];
    }

    public function forget(InteropClient $client): void
    {
        $this->clients = array_filter($this->clients, fn ($other) => $other !== $client);
    }

    public function close(): void
    {
        foreach ($this->clients as $client) {
            $client->close();
        }
    }
}

function run_session(string $class): void
{
    global $argv;
    [, $url, $name] = $argv;
    foreach (array_slice($argv, 3) as $scenario) {
        $session = new Session($class, parse_url($url), "$name-$scenario");
        try {
            SCENARIOS[$scenario]($session, $scenario);
            $session->close();
            say('done', $scenario);
        } catch (Throwable $error) {
            fwrite(STDERR, "$scenario: $error\n");
            say('failed', $scenario);
        }
    }
}

const SCENARIOS = [
    'declare' => 'declare_scenario',
    'confirm' => 'confirm_scenario',
    'consume' => 'consume_scenario',
    'settle' => 'settle_scenario',
    'get' => 'get_scenario',
    'return' => 'return_scenario',
    'rpc' => 'rpc_scenario',
    'direct-reply-to' => 'direct_reply_to_scenario',
    'large' => 'large_scenario',
    'unicode' => 'unicode_scenario',
    'headers' => 'headers_scenario',
    'properties' => 'properties_scenario',
    'heartbeat' => 'heartbeat_scenario',
    'tx' => 'tx_scenario',
    'exchange-binding' => 'exchange_binding_scenario',
    'recover' => 'recover_scenario',
    'cancel' => 'cancel_scenario',
    'restart-sigterm' => 'restart_scenario',
    'restart-sigkill' => 'restart_scenario',
];

function say(string ...$words): void
{
    echo implode(' ', $words), "\n";
    flush();
}

function check_equal(mixed $found, mixed $expected): void
{
    if ($found !== $expected) {
        $texts = array_map(fn ($value) => substr(var_export($value, true), 0, 1000), [$found, $expected]);
        throw new Exception("found $texts[0], expected $texts[1]");
    }
}

function numbered(int $count): array
{
    return array_map(fn ($i) => "number $i", range(0, $count - 1));
}

function publish_all(InteropClient $client, string $queue, array $bodies): void
{
    foreach ($bodies as $body) {
        $client->publish('', $queue, $body);
    }
}

function count_ready(InteropClient $client, string $queue): int
{
    return $client->declareQueue($queue, ['passive'])[1];
}

function declare_scenario(Session $session): void
{
    $client = $session->connect();
    $queue = $session->name;
    $exchange = "$queue-exchange";
    check_equal($client->declareQueue($queue, ['durable'])[0], $queue);
    $client->declareQueue($queue, ['durable']);
    $client->declareExchange($exchange, 'direct');
    $client->bindQueue($queue, $exchange, 'key');
    $client->publish($exchange, 'key', 'bound');
    check_equal(count_ready($client, $queue), 1);
    $named = $client->declareQueue('', ['exclusive'])[0];
    check_equal(substr($named, 0, 8), 'amq.gen-');
    check_equal($client->refusalOf("$queue-missing", ['passive']), 404);
    check_equal($client->refusalOf($queue, []), 406);
    $client->declareQueue("$queue-exclusive", ['exclusive']);
    $other = $session->connect();
    check_equal($other->refusalOf("$queue-exclusive", ['exclusive']), 405);
    $client->deleteQueue($queue);
    $client->deleteExchange($exchange);
    check_equal($client->refusalOf($queue, ['passive']), 404);
}

function confirm_scenario(Session $session): void
{
    [$client, $queue] = $session->withQueue();
    publish_all($client, $queue, numbered(50));
    check_equal(count_ready($client, $queue), 50);
}

function consume_scenario(Session $session): void
{
    [$client, $queue] = $session->withQueue();
    publish_all($client, $queue, numbered(10));
    $consumer = $client->consume($queue, 3);
    $unacked = [$consumer->next(), $consumer->next(), $consumer->next()];
    $found = array_map(fn ($delivery) => $delivery->body(), $unacked);
    check_equal(count_ready($client, $queue), 7);
    for ($i = 0; $i < 7; $i++) {
        array_shift($unacked)->ack();
        $unacked[] = $delivery = $consumer->next();
        $found[] = $delivery->body();
    }
    foreach ($unacked as $delivery) {
        $delivery->ack();
    }
    check_equal($found, numbered(10));
    $consumer->cancel();
    check_equal($client->get($queue), null);
}

function settle_scenario(Session $session): void
{
    [$client, $queue] = $session->withQueue();
    publish_all($client, $queue, ['one', 'two', 'three', 'four']);
    $consumer = $client->consume($queue, 10);
    [, $two, , $four] = [$consumer->next(), $consumer->next(), $consumer->next(), $consumer->next()];
    $two->reject();
    $four->requeue();
    $again = $consumer->next();
    check_equal([$again->body(), $again->isRedelivered()], ['four', true]);
    $again->ack(true);
    $consumer->cancel();
    $client->recover(); // were one of them unacked still, this would bring it back
    check_equal($client->get($queue), null);
}

function get_scenario(Session $session): void
{
    [$client, $queue] = $session->withQueue();
    check_equal($client->get($queue), null);
    $client->publish('', $queue, 'fetched');
    $first = $client->get($queue);
    check_equal([$first->body(), $first->isRedelivered()], ['fetched', false]);
    $first->requeue();
    $second = $client->get($queue);
    check_equal([$second->body(), $second->isRedelivered()], ['fetched', true]);
    $second->ack();
    check_equal($client->get($queue), null);
}

function return_scenario(Session $session): void
{
    [$client, $queue] = $session->withQueue();
    check_equal($client->publishUnroutable('', "$queue-missing", 'lost'), 312);
}

/** Requests from one connection, answered by another one. */
function remote_calls(Session $session, ?string $replyQueue): void
{
    [$answering, $queue] = $session->withQueue();
    $requests = $answering->consume($queue, 1);
    $asking = $session->connect();
    $replyTo = $replyQueue ?? $asking->declareQueue('', ['exclusive'])[0];
    $answers = $asking->consume($replyTo, 0);
    foreach (numbered(5) as $question) {
        $asking->publish('', $queue, $question, [], ['reply_to' => $replyTo, 'correlation_id' => "id of $question"]);
        $request = $requests->next();
        $answering->publish('', $request->property('reply_to'), "answer to {$request->body()}", [], [
            'correlation_id' => $request->property('correlation_id'),
        ]);
        $request->ack();
        $answer = $answers->next();
        check_equal($answer->body(), "answer to $question");
        check_equal($answer->property('correlation_id'), "id of $question");
    }
}

function rpc_scenario(Session $session): void
{
    remote_calls($session, null);
}

function direct_reply_to_scenario(Session $session): void
{
    remote_calls($session, 'amq.rabbitmq.reply-to');
}

function large_scenario(Session $session): void
{
    $body = substr(str_repeat('abcdefghijk', 1024 * 1024), 0, 10 * 1024 * 1024 + 7);
    [$client, $queue] = $session->withQueue();
    $client->publish('', $queue, $body);
    $consumer = $client->consume($queue, 1);
    $delivery = $consumer->next();
    check_equal(sha1($delivery->body()), sha1($body));
    $consumer->cancel();
    $delivery->requeue();
    $fetched = $client->get($queue);
    check_equal(sha1($fetched->body()), sha1($body));
    $fetched->ack();
}

function unicode_scenario(Session $session): void
{
    $client = $session->connect();
    $queue = "$session->name очередь 列";
    $exchange = "$session->name échange 交";
    $client->declareQueue($queue, ['exclusive']);
    $client->declareExchange($exchange, 'topic');
    $client->bindQueue($queue, $exchange, UNICODE);
    $headers = [UNICODE => 'Grüße, 世界 🐇'];
    $client->publish($exchange, UNICODE, UNICODE . ' é', $headers);
    $delivery = $client->get($queue);
    check_equal($delivery->body(), UNICODE . ' é');
    check_equal($delivery->headers(), $headers);
    $client->deleteExchange($exchange);
}

function headers_scenario(Session $session): void
{
    [$client, $queue] = $session->withQueue();
    $client->publish('', $queue, '', $client->richHeaders());
    $delivery = $client->get($queue);
    check_equal($delivery->body(), '');
    $found = $delivery->headers();
    $expected = $client->richHeaders();
    check_equal(array_diff_key($found, $expected), []);
    foreach ($expected as $name => $value) {
        is_object($value) ? check_equal($found[$name] == $value, true) : check_equal($found[$name], $value);
    }
}

function properties_scenario(Session $session): void
{
    [$client, $queue] = $session->withQueue();
    $client->publish('', $queue, 'all', [], EVERY_PROPERTY);
    $delivery = $client->get($queue);
    foreach (EVERY_PROPERTY as $name => $value) {
        check_equal([$name, $delivery->property($name)], [$name, $value]);
    }
}

function heartbeat_scenario(Session $session): void
{
    [$client, $queue] = $session->withQueue(HEARTBEAT_S);
    $client->idle(SILENCE_S);
    $client->publish('', $queue, 'alive'); // the queue is exclusive: it would be gone with a first connection
    check_equal($client->get($queue)->body(), 'alive');
}

function tx_scenario(Session $session): void
{
    [$client, $queue] = $session->withQueue();
    $transaction = $client->transaction();
    $transaction->publish($queue, 'one');
    $transaction->publish($queue, 'two');
    check_equal(count_ready($client, $queue), 0);
    $transaction->commit();
    check_equal(count_ready($client, $queue), 2);
    $transaction->publish($queue, 'three');
    $transaction->rollback();
    $transaction->commit();
    check_equal(count_ready($client, $queue), 2);
}

function exchange_binding_scenario(Session $session): void
{
    [$client, $queue] = $session->withQueue();
    $source = "$session->name-source";
    $destination = "$session->name-destination";
    $client->declareExchange($source, 'topic');
    $client->declareExchange($destination, 'fanout');
    $client->bindExchange($destination, $source, 'through.#');
    $client->bindQueue($queue, $destination, '');
    $client->publish($source, 'through.both', 'passed');
    $client->publish($source, 'elsewhere', 'not bound');
    $client->unbindExchange($destination, $source, 'through.#');
    $client->publish($source, 'through.both', 'unbound');
    check_equal($client->get($queue)->body(), 'passed');
    check_equal($client->get($queue), null);
    $client->deleteExchange($source);
    $client->deleteExchange($destination);
}

function recover_scenario(Session $session): void
{
    [$client, $queue] = $session->withQueue();
    $client->publish('', $queue, 'unsettled');
    $consumer = $client->consume($queue, 5);
    check_equal($consumer->next()->isRedelivered(), false);
    $client->recover();
    $again = $consumer->next();
    check_equal([$again->body(), $again->isRedelivered()], ['unsettled', true]);
    $again->ack();
    $consumer->cancel();
    check_equal($client->get($queue), null);
}

function cancel_scenario(Session $session): void
{
    $client = $session->connect();
    $queue = $session->name;
    $client->declareQueue($queue, ['durable']);
    $consumer = $client->consume($queue, 1);
    $other = $session->connect();
    $other->deleteQueue($queue);
    $consumer->waitUntilCancelled();
    $client->declareQueue('', ['exclusive']);
}

/** Publishes until the connection ends, and looks for what was confirmed. */
function restart_scenario(Session $session, string $scenario): void
{
    $client = $session->connect();
    $queue = $session->name;
    $client->declareQueue($queue, ['durable']);
    $confirmed = 0;
    try {
        for (;; $confirmed++) {
            if ($confirmed === CONFIRMED_BEFORE_RESTART) {
                say('ready', $scenario);
            }
            if ($confirmed >= CONFIRMED_BEFORE_RESTART) {
                usleep(PUBLISH_PAUSE_US);
            }
            $client->publish('', $queue, "message $confirmed");
        }
    } catch (Exception) {
        $session->forget($client);
    }
    $client = connect_again($session);
    $ready = count_ready($client, $queue);
    $consumer = $client->consume($queue, COLLECT_PREFETCH);
    $found = [];
    while (count($found) < $ready) {
        $message = $consumer->next();
        $found[] = $message->body();
        $message->ack();
    }
    $consumer->cancel();
    check_equal($confirmed >= CONFIRMED_BEFORE_RESTART, true);
    // The last one was under way: it may have been written and not confirmed.
    $count = count($found) === $confirmed + 1 ? $confirmed + 1 : $confirmed;
    check_equal($found, array_map(fn ($i) => "message $i", range(0, $count - 1)));
    publish_all($client, $queue, ['afterwards']);
    check_equal($client->get($queue)->body(), 'afterwards');
    $client->deleteQueue($queue);
}

/** As the users of a client do that does not reconnect by itself. */
function connect_again(Session $session): InteropClient
{
    for (;;) {
        try {
            return $session->connect();
        } catch (Exception) {
            usleep(CONNECT_PAUSE_US);
        }
    }
}
