# The interop session with bunny: ruby bunny_session.rb URL NAME
require 'bunny'
require 'timeout'

url, name = ARGV
key = 'clé.ключ.鍵'

RICH_HEADERS = {
  'text' => 'Grüße',
  'yes' => true,
  'no' => false,
  'int' => -42,
  'big' => 2**40,
  'fraction' => 1.5,
  'nothing' => nil,
  'list' => [1, 'two', { 'three' => 3 }],
  'table' => { 'inner' => { 'deep' => 'value' } },
  'time' => Time.at(1_700_000_000)
}.freeze
MESSAGES = [
  ['plain', {}],
  ['Grüße, 世界 🐇', { 'ключ 🗝' => 'значение' }],
  ['', RICH_HEADERS],
  ['abcdefg' * 149_797, {}]
].freeze

def done(step)
  puts "done #{step}"
  $stdout.flush
end

def check_equal(found, expected)
  raise "found #{found.inspect[0, 500]}, expected #{expected.inspect[0, 500]}" if found != expected
end

# Bunny hands out strings as octets.
def utf8(value)
  case value
  when String then value.dup.force_encoding('UTF-8')
  when Array then value.map { |element| utf8(element) }
  when Hash then value.to_h { |name, element| [utf8(name), utf8(element)] }
  else value
  end
end

def received(body, properties)
  utf8([body, properties.headers || {}])
end

connection = Bunny.new(url)
connection.start
channel = connection.create_channel
channel.confirm_select

queue = channel.queue(name, durable: true)
exchange = channel.direct("#{name}-exchange", durable: true)
queue.bind(exchange, routing_key: key)
done 'declare'

MESSAGES.each do |body, headers|
  exchange.publish(body, routing_key: key, headers: headers, persistent: true)
end
check_equal(channel.wait_for_confirms, true)
check_equal(queue.message_count, MESSAGES.size)
done 'confirm'

deliveries = Queue.new
channel.prefetch(2)
consumer = queue.subscribe(manual_ack: true) do |delivery, properties, body|
  channel.ack(delivery.delivery_tag)
  deliveries << received(body, properties)
end
consumed = Timeout.timeout(10) { Array.new(MESSAGES.size) { deliveries.pop } }
consumer.cancel
check_equal(consumed, MESSAGES)
done 'consume'

body, headers = MESSAGES[0]
exchange.publish(body, routing_key: key, headers: headers)
check_equal(channel.wait_for_confirms, true)
delivery, properties, body = queue.pop(manual_ack: true)
channel.ack(delivery.delivery_tag)
check_equal(received(body, properties), MESSAGES[0])
check_equal(queue.pop, [nil, nil, nil])
done 'get'

returns = Queue.new
exchange.on_return { |info, _properties, _body| returns << info.reply_code }
exchange.publish('lost', routing_key: 'nowhere', mandatory: true)
check_equal(Timeout.timeout(10) { returns.pop }, 312)
done 'return'

check_equal(queue.message_count, 0)
queue.delete
exchange.delete
connection.close
done 'close'
