# The scenarios with bunny, which recovers its connection by itself:
#
#     ruby bunny_session.rb URL NAME SCENARIO...
#
# runs the scenarios and prints `done NAME` or `failed NAME` for each, with the reason on standard error. NAME
# begins the names of all queues and exchanges.
require 'bunny'
require 'digest'
require 'logger'
require 'timeout'

PATIENCE_S = 30 # how long an answer may take before it counts as missing; only failures wait
HEARTBEAT_S = 3 # at 1 s some libraries hang up when a loaded machine is half a second late
SILENCE_S = 10.5 # more than three intervals: a silent side is given up after two to three
CONFIRMED_BEFORE_RESTART = 100
COLLECT_PREFETCH = 100
PUBLISH_PAUSE_S = 0.01 # between the messages after those, while other clients are not yet ready
CA = ENV.fetch('INTEROP_CA', nil) # whom the client trusts, where the URL asks for TLS
UNICODE = 'clé.ключ.鍵 🗝'.freeze
LARGE_BODY = ('abcdefghijk' * (1024 * 1024))[0, 10 * 1024 * 1024 + 7]
RICH_HEADERS = {
  'text' => 'Grüße',
  'yes' => true,
  'no' => false,
  'int' => -42,
  'long' => 2**40,
  'fraction' => 1.5,
  'nothing' => nil,
  'list' => [1, 'two', { 'three' => 3 }, ['deep']],
  'table' => { 'inner' => { 'deep' => 'value' } },
  'time' => Time.at(1_700_000_000)
}.freeze
EVERY_PROPERTY = {
  content_type: 'application/x-note',
  content_encoding: 'utf-8',
  priority: 7,
  correlation_id: 'corrélation'.b,
  reply_to: 'answers',
  expiration: '600000',
  message_id: 'm-1',
  timestamp: 1_700_000_000,
  type: 'greeting',
  user_id: 'guest',
  app_id: 'interop'
}.freeze

# A message as it came from the broker.
Delivery = Struct.new(:channel, :info, :properties, :octets) do
  # Bunny hands out strings as octets.
  def body
    utf8(octets)
  end

  def headers
    utf8(properties.headers)
  end

  def redelivered?
    info.redelivered?
  end

  def ack(multiple: false)
    channel.ack(info.delivery_tag, multiple)
  end

  def requeue
    channel.nack(info.delivery_tag, false, true)
  end

  def reject
    channel.reject(info.delivery_tag, false)
  end
end

# Takes deliveries one by one, and hears of the end.
class Consumer
  def initialize(channel, queue, prefetch)
    @arrived = Queue.new
    @cancelled = Queue.new
    channel.prefetch(prefetch)
    @consumer = Bunny::Consumer.new(channel, queue, channel.generate_consumer_tag, prefetch.zero?)
    @consumer.on_delivery { |info, properties, body| @arrived << Delivery.new(channel, info, properties, body) }
    @consumer.on_cancellation { |method| @cancelled << method }
    channel.basic_consume_with(@consumer)
  end

  def next
    Timeout.timeout(PATIENCE_S) { @arrived.pop }
  end

  def cancel
    @consumer.cancel
  end

  def wait_until_cancelled
    Timeout.timeout(PATIENCE_S) { @cancelled.pop }
  end
end

# One connection with one channel in confirm mode.
class Client
  attr_reader :channel, :connection

  def initialize(url, heartbeat: nil)
    @recovered = Queue.new
    options = { logger: Logger.new(IO::NULL), network_recovery_interval: 0.2, heartbeat: heartbeat || :server,
                recovery_completed: -> { @recovered << true } }
    options.update(tls_ca_certificates: [CA], verify_peer: true) if url.start_with?('amqps:')
    @connection = Bunny.new(url, options)
    @connection.start
    @channel = @connection.create_channel
    @channel.confirm_select
  end

  def exclusive_queue
    @channel.queue_declare('', exclusive: true).queue
  end

  # Declares on a channel of its own; answers with the reply code of the refusal.
  def refusal_of(queue, options)
    @connection.create_channel.queue_declare(queue, options)
    0
  rescue Bunny::ChannelLevelException => e
    e.channel_close.reply_code
  end

  def count_ready(queue)
    @channel.queue_declare(queue, passive: true).message_count
  end

  # Publishes a persistent message and returns once it is confirmed.
  def publish(exchange, key, body, options = {})
    @channel.basic_publish(body, exchange, key, { persistent: true }.merge(options))
    confirmed = Timeout.timeout(PATIENCE_S) { @channel.wait_for_confirms }
    raise 'a message was nacked' unless confirmed
  end

  def publish_all(queue, bodies)
    bodies.each { |body| @channel.basic_publish(body, '', queue, persistent: true) }
    check_equal(Timeout.timeout(PATIENCE_S) { @channel.wait_for_confirms }, true)
  end

  def get(queue)
    info, properties, body = @channel.queue(queue, passive: true).pop(manual_ack: true)
    info && Delivery.new(@channel, info, properties, body)
  end

  def wait_until_recovered
    Timeout.timeout(PATIENCE_S) { @recovered.pop }
  end

  def close
    @connection.close
  end
end

# What a scenario is given.
class Session
  attr_reader :name, :url

  def initialize(url, name)
    @url = url
    @name = name
    @clients = []
  end

  # A new connection, closed when the scenario ends well.
  def connect(**options)
    @clients << Client.new(@url, **options)
    @clients.last
  end

  def with_queue(**options)
    client = connect(**options)
    [client, client.exclusive_queue]
  end

  def close
    @clients.each(&:close)
  end
end

def utf8(value)
  case value
  when String then value.dup.force_encoding('UTF-8')
  when Array then value.map { |element| utf8(element) }
  when Hash then value.to_h { |name, element| [utf8(name), utf8(element)] }
  else value
  end
end

def check_equal(found, expected)
  raise "found #{found.inspect[0, 1000]}, expected #{expected.inspect[0, 1000]}" if found != expected
end

def numbered(count)
  Array.new(count) { |i| "number #{i}" }
end

def say(*words)
  puts words.join(' ')
  $stdout.flush
end

SCENARIOS = {}

def scenario(name, &body)
  SCENARIOS[name] = body
end

scenario 'declare' do |session|
  client = session.connect
  channel = client.channel
  queue = session.name
  exchange = "#{queue}-exchange"
  check_equal(channel.queue_declare(queue, durable: true).queue, queue)
  channel.queue_declare(queue, durable: true)
  channel.exchange_declare(exchange, 'direct', durable: true)
  channel.queue_bind(queue, exchange, routing_key: 'key')
  client.publish(exchange, 'key', 'bound')
  check_equal(client.count_ready(queue), 1)
  check_equal(client.exclusive_queue[0, 8], 'amq.gen-')
  check_equal(client.refusal_of("#{queue}-missing", passive: true), 404)
  check_equal(client.refusal_of(queue, durable: false), 406)
  channel.queue_declare("#{queue}-exclusive", exclusive: true)
  check_equal(session.connect.refusal_of("#{queue}-exclusive", exclusive: true), 405)
  channel.queue_delete(queue)
  channel.exchange_delete(exchange)
  check_equal(client.refusal_of(queue, passive: true), 404)
end

scenario 'confirm' do |session|
  client, queue = session.with_queue
  client.publish_all(queue, numbered(50))
  check_equal(client.count_ready(queue), 50)
end

scenario 'consume' do |session|
  client, queue = session.with_queue
  client.publish_all(queue, numbered(10))
  consumer = Consumer.new(client.channel, queue, 3)
  unacked = Array.new(3) { consumer.next }
  found = unacked.map(&:body)
  check_equal(client.count_ready(queue), 7)
  7.times do
    unacked.shift.ack
    unacked << consumer.next
    found << unacked.last.body
  end
  unacked.each(&:ack)
  check_equal(found, numbered(10))
  consumer.cancel
  check_equal(client.get(queue), nil)
end

scenario 'settle' do |session|
  client, queue = session.with_queue
  client.publish_all(queue, %w[one two three four])
  consumer = Consumer.new(client.channel, queue, 10)
  _, two, _, four = Array.new(4) { consumer.next }
  two.reject
  four.requeue
  again = consumer.next
  check_equal([again.body, again.redelivered?], ['four', true])
  again.ack(multiple: true)
  consumer.cancel
  # Were one of them unacked still, this would bring it back.
  client.channel.basic_recover(true)
  check_equal(client.get(queue), nil)
end

scenario 'get' do |session|
  client, queue = session.with_queue
  check_equal(client.get(queue), nil)
  client.publish('', queue, 'fetched')
  first = client.get(queue)
  check_equal([first.body, first.redelivered?], ['fetched', false])
  first.requeue
  second = client.get(queue)
  check_equal([second.body, second.redelivered?], ['fetched', true])
  second.ack
  check_equal(client.get(queue), nil)
end

scenario 'return' do |session|
  client, queue = session.with_queue
  returns = Queue.new
  exchange = client.channel.default_exchange
  exchange.on_return { |info, _properties, _body| returns << info.reply_code }
  exchange.publish('lost', routing_key: "#{queue}-missing", mandatory: true)
  check_equal(Timeout.timeout(PATIENCE_S) { returns.pop }, 312)
end

# Requests from one connection, answered by another one.
def remote_calls(session, reply_queue)
  answering, queue = session.with_queue
  requests = Consumer.new(answering.channel, queue, 1)
  asking = session.connect
  reply_to = reply_queue || asking.exclusive_queue
  answers = Consumer.new(asking.channel, reply_to, 0)
  numbered(5).each do |question|
    asking.publish('', queue, question, reply_to: reply_to, correlation_id: "id of #{question}")
    request = requests.next
    correlation_id = request.properties.correlation_id
    answering.publish('', request.properties.reply_to, "answer to #{request.body}", correlation_id: correlation_id)
    request.ack
    answer = answers.next
    check_equal(answer.body, "answer to #{question}")
    check_equal(answer.properties.correlation_id, "id of #{question}")
  end
end

scenario('rpc') { |session| remote_calls(session, nil) }
scenario('direct-reply-to') { |session| remote_calls(session, 'amq.rabbitmq.reply-to') }

scenario 'large' do |session|
  client, queue = session.with_queue
  client.publish('', queue, LARGE_BODY)
  consumer = Consumer.new(client.channel, queue, 1)
  delivery = consumer.next
  check_equal(Digest::SHA1.hexdigest(delivery.octets), Digest::SHA1.hexdigest(LARGE_BODY))
  consumer.cancel
  delivery.requeue
  fetched = client.get(queue)
  check_equal(Digest::SHA1.hexdigest(fetched.octets), Digest::SHA1.hexdigest(LARGE_BODY))
  fetched.ack
end

scenario 'unicode' do |session|
  client = session.connect
  # As octets, since bunny joins them with octets.
  queue = "#{session.name} очередь 列".b
  exchange = "#{session.name} échange 交".b
  key = UNICODE.b
  client.channel.queue_declare(queue, exclusive: true)
  client.channel.exchange_declare(exchange, 'topic', durable: true)
  client.channel.queue_bind(queue, exchange, routing_key: key)
  headers = { UNICODE => 'Grüße, 世界 🐇' }
  client.publish(exchange, key, "#{UNICODE} é", headers: headers)
  delivery = client.get(queue)
  check_equal(delivery.body, "#{UNICODE} é")
  check_equal(delivery.headers, headers)
  client.channel.exchange_delete(exchange)
end

scenario 'headers' do |session|
  client, queue = session.with_queue
  client.publish('', queue, '', headers: RICH_HEADERS)
  delivery = client.get(queue)
  check_equal(delivery.body, '')
  check_equal(delivery.headers, RICH_HEADERS)
end

scenario 'properties' do |session|
  client, queue = session.with_queue
  client.publish('', queue, 'all', EVERY_PROPERTY)
  properties = client.get(queue).properties.to_h
  properties[:timestamp] = properties[:timestamp].to_i
  check_equal(utf8(properties.slice(*EVERY_PROPERTY.keys)), utf8(EVERY_PROPERTY))
end

scenario 'heartbeat' do |session|
  client, queue = session.with_queue(heartbeat: HEARTBEAT_S)
  sleep SILENCE_S
  # The queue is exclusive: it would be gone with a first connection.
  client.publish('', queue, 'alive')
  check_equal(client.get(queue).body, 'alive')
end

scenario 'tx' do |session|
  client, queue = session.with_queue
  channel = client.connection.create_channel
  channel.tx_select
  channel.basic_publish('one', '', queue)
  channel.basic_publish('two', '', queue)
  check_equal(client.count_ready(queue), 0)
  channel.tx_commit
  check_equal(client.count_ready(queue), 2)
  channel.basic_publish('three', '', queue)
  channel.tx_rollback
  channel.tx_commit
  check_equal(client.count_ready(queue), 2)
end

scenario 'exchange-binding' do |session|
  client, queue = session.with_queue
  channel = client.channel
  source = "#{session.name}-source"
  destination = "#{session.name}-destination"
  channel.exchange_declare(source, 'topic', durable: true)
  channel.exchange_declare(destination, 'fanout', durable: true)
  channel.exchange_bind(source, destination, routing_key: 'through.#')
  channel.queue_bind(queue, destination)
  client.publish(source, 'through.both', 'passed')
  client.publish(source, 'elsewhere', 'not bound')
  channel.exchange_unbind(source, destination, routing_key: 'through.#')
  client.publish(source, 'through.both', 'unbound')
  check_equal(client.get(queue).body, 'passed')
  check_equal(client.get(queue), nil)
  channel.exchange_delete(source)
  channel.exchange_delete(destination)
end

scenario 'recover' do |session|
  client, queue = session.with_queue
  client.publish('', queue, 'unsettled')
  consumer = Consumer.new(client.channel, queue, 5)
  check_equal(consumer.next.redelivered?, false)
  client.channel.basic_recover(true)
  again = consumer.next
  check_equal([again.body, again.redelivered?], ['unsettled', true])
  again.ack
  consumer.cancel
  check_equal(client.get(queue), nil)
end

scenario 'cancel' do |session|
  client = session.connect
  queue = session.name
  client.channel.queue_declare(queue, durable: true)
  consumer = Consumer.new(client.channel, queue, 1)
  session.connect.channel.queue_delete(queue)
  consumer.wait_until_cancelled
  client.exclusive_queue
end

# Publishes until the connection ends, and looks for what was confirmed.
def restart(session, title)
  client = session.connect
  queue = session.name
  client.channel.queue_declare(queue, durable: true)
  confirmed = 0
  begin
    loop do
      client.publish('', queue, "message #{confirmed}")
      confirmed += 1
      say('ready', title) if confirmed == CONFIRMED_BEFORE_RESTART
      sleep PUBLISH_PAUSE_S if confirmed >= CONFIRMED_BEFORE_RESTART
    end
  rescue StandardError
    client.wait_until_recovered
  end
  ready = client.count_ready(queue)
  consumer = Consumer.new(client.channel, queue, COLLECT_PREFETCH)
  found = Array.new(ready) { consumer.next.tap(&:ack).body }
  consumer.cancel
  raise "only #{confirmed} were confirmed" if confirmed < CONFIRMED_BEFORE_RESTART

  # The last one was under way: it may have been written and not confirmed.
  count = found.size == confirmed + 1 ? confirmed + 1 : confirmed
  check_equal(found, Array.new(count) { |i| "message #{i}" })
  client.publish('', queue, 'afterwards')
  check_equal(client.get(queue).body, 'afterwards')
  client.channel.queue_delete(queue)
end

# Waits while the broker goes and comes back, and publishes from elsewhere. Bunny declares and binds again what it
# has objects for, and consumes.
scenario 'restart-consumer' do |session|
  exchange = "#{session.name}-exchange"
  client = session.connect
  source = client.channel.topic(exchange, durable: true)
  queue = client.channel.queue(session.name, exclusive: true).bind(source, routing_key: 'key')
  arrived = Queue.new
  queue.subscribe { |_info, _properties, body| arrived << body }
  before = Client.new(session.url)
  before.publish(exchange, 'key', 'before')
  check_equal(Timeout.timeout(PATIENCE_S) { arrived.pop }, 'before')
  before.close
  say('ready', 'restart-consumer')
  client.wait_until_recovered
  after = session.connect
  after.publish(exchange, 'key', 'after')
  check_equal(Timeout.timeout(PATIENCE_S) { arrived.pop }, 'after')
  after.channel.exchange_delete(exchange)
end

scenario('restart-sigterm') { |session| restart(session, 'restart-sigterm') }
scenario('restart-sigkill') { |session| restart(session, 'restart-sigkill') }

url, name, *titles = ARGV
titles.each do |title|
  session = Session.new(url, "#{name}-#{title}")
  begin
    SCENARIOS.fetch(title).call(session)
    session.close
    say('done', title)
  rescue StandardError => e
    warn("#{title}: #{e.full_message(highlight: false)}")
    say('failed', title)
  end
end
