// The scenarios with RabbitMQ's Java client, which recovers its connection by itself:
//
//     java -cp CLASSES JavaSession.java URL NAME SCENARIO...
//
// runs the scenarios and prints `done NAME` or `failed NAME` for each, with the reason on standard error. NAME
// begins the names of all queues and exchanges.

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.CancelCallback;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DeliverCallback;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.LongString;
import com.rabbitmq.client.Recoverable;
import com.rabbitmq.client.RecoveryListener;
import com.rabbitmq.client.ShutdownSignalException;
import com.rabbitmq.client.impl.DefaultExceptionHandler;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public final class JavaSession {
    /** How long an answer may take before it counts as missing; only failures wait. */
    private static final long PATIENCE_MS = 30_000;
    /** At 1 s some libraries hang up when a loaded machine is half a second late. */
    private static final int HEARTBEAT_S = 3;
    /** More than three intervals: a silent side is given up after two to three. */
    private static final long SILENCE_MS = 10_500;
    private static final int CONFIRMED_BEFORE_RESTART = 100;
    /** Between the messages after those, while other clients are not yet ready. */
    private static final long PUBLISH_PAUSE_MS = 10;
    private static final int COLLECT_PREFETCH = 100;
    private static final int NO_ACKS = 0;
    private static final int PERSISTENT = 2;
    private static final String UNICODE = "clé.ключ.鍵 🗝";
    private static final AMQP.BasicProperties PLAIN =
            new AMQP.BasicProperties.Builder().deliveryMode(PERSISTENT).build();

    private final String url;
    private final String name;
    private final List<Connection> connections = new ArrayList<>();

    private JavaSession(String url, String name) {
        this.url = url;
        this.name = name;
    }

    public static void main(String[] args) {
        for (String title : Arrays.copyOfRange(args, 2, args.length)) {
            JavaSession session = new JavaSession(args[0], args[1] + "-" + title);
            try {
                session.run(title);
                session.close();
                say("done " + title);
            } catch (Throwable error) {
                System.err.print(title + ": ");
                error.printStackTrace();
                say("failed " + title);
            }
        }
        System.exit(0); // a failed scenario leaves its connections open
    }

    private void run(String title) throws Exception {
        switch (title) {
            case "declare" -> declare();
            case "confirm" -> confirm();
            case "consume" -> consume();
            case "settle" -> settle();
            case "get" -> get();
            case "return" -> returnUnroutable();
            case "rpc" -> remoteCalls(null);
            case "direct-reply-to" -> remoteCalls("amq.rabbitmq.reply-to");
            case "large" -> large();
            case "unicode" -> unicode();
            case "headers" -> headers();
            case "properties" -> properties();
            case "heartbeat" -> heartbeat();
            case "tx" -> tx();
            case "exchange-binding" -> exchangeBinding();
            case "recover" -> recover();
            case "cancel" -> cancel();
            case "restart-sigterm", "restart-sigkill" -> restart(title);
            case "restart-consumer" -> restartConsumer(title);
            default -> throw new IllegalArgumentException("there is no scenario " + title);
        }
    }

    private void declare() throws Exception {
        Connection connection = connect(null);
        Channel channel = confirming(connection);
        String exchange = name + "-exchange";
        checkEqual(channel.queueDeclare(name, true, false, false, null).getQueue(), name);
        channel.queueDeclare(name, true, false, false, null);
        channel.exchangeDeclare(exchange, "direct", true);
        channel.queueBind(name, exchange, "key");
        publish(channel, exchange, "key", PLAIN, bytes("bound"));
        checkEqual(countReady(channel, name), 1);
        checkEqual(exclusiveQueue(channel).substring(0, 8), "amq.gen-");
        checkEqual(refusal(connection, other -> other.queueDeclarePassive(name + "-missing")), 404);
        checkEqual(refusal(connection, other -> other.queueDeclare(name, false, false, false, null)), 406);
        String ours = name + "-exclusive";
        channel.queueDeclare(ours, false, true, false, null);
        checkEqual(refusal(connect(null), other -> other.queueDeclare(ours, false, true, false, null)), 405);
        channel.queueDelete(name);
        channel.exchangeDelete(exchange);
        checkEqual(refusal(connection, other -> other.queueDeclarePassive(name)), 404);
    }

    private void confirm() throws Exception {
        Channel channel = confirming(connect(null));
        String queue = exclusiveQueue(channel);
        publishAll(channel, queue, numbered(50));
        checkEqual(countReady(channel, queue), 50);
    }

    private void consume() throws Exception {
        Channel channel = confirming(connect(null));
        String queue = exclusiveQueue(channel);
        publishAll(channel, queue, numbered(10));
        Consumer consumer = new Consumer(channel, queue, 3);
        ArrayDeque<Message> unacked = new ArrayDeque<>();
        List<String> found = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            if (i == 3) checkEqual(countReady(channel, queue), 7);
            if (i >= 3) unacked.remove().ack(false);
            Message message = consumer.next();
            unacked.add(message);
            found.add(message.text());
        }
        for (Message message : unacked) message.ack(false);
        checkEqual(found, numbered(10));
        consumer.cancel();
        checkEqual(fetch(channel, queue), null);
    }

    private void settle() throws Exception {
        Channel channel = confirming(connect(null));
        String queue = exclusiveQueue(channel);
        publishAll(channel, queue, List.of("one", "two", "three", "four"));
        Consumer consumer = new Consumer(channel, queue, 10);
        consumer.next();
        Message two = consumer.next();
        consumer.next();
        Message four = consumer.next();
        two.reject();
        four.requeue();
        Message again = consumer.next();
        checkEqual(again.text(), "four");
        checkEqual(again.isRedelivered(), true);
        again.ack(true);
        consumer.cancel();
        channel.basicRecover(true); // were one of them unacked still, this would bring it back
        checkEqual(fetch(channel, queue), null);
    }

    private void get() throws Exception {
        Channel channel = confirming(connect(null));
        String queue = exclusiveQueue(channel);
        checkEqual(fetch(channel, queue), null);
        publishAll(channel, queue, List.of("fetched"));
        Message first = fetch(channel, queue);
        checkEqual(first.text(), "fetched");
        checkEqual(first.isRedelivered(), false);
        first.requeue();
        Message second = fetch(channel, queue);
        checkEqual(second.text(), "fetched");
        checkEqual(second.isRedelivered(), true);
        second.ack(false);
        checkEqual(fetch(channel, queue), null);
    }

    private void returnUnroutable() throws Exception {
        Channel channel = confirming(connect(null));
        BlockingQueue<Integer> returns = new LinkedBlockingQueue<>();
        channel.addReturnListener((code, text, exchange, key, properties, body) -> returns.add(code));
        channel.basicPublish("", name + "-missing", true, PLAIN, bytes("lost"));
        checkEqual(take(returns), 312);
    }

    /** Requests from one connection, answered by another one. */
    private void remoteCalls(String replyQueue) throws Exception {
        Channel answering = confirming(connect(null));
        String queue = exclusiveQueue(answering);
        Consumer requests = new Consumer(answering, queue, 1);
        Channel asking = confirming(connect(null));
        String replyTo = replyQueue == null ? exclusiveQueue(asking) : replyQueue;
        Consumer answers = new Consumer(asking, replyTo, NO_ACKS);
        for (String question : numbered(5)) {
            String correlationId = "id of " + question;
            publish(asking, "", queue, PLAIN.builder().replyTo(replyTo).correlationId(correlationId).build(),
                    bytes(question));
            Message request = requests.next();
            publish(answering, "", request.properties().getReplyTo(),
                    PLAIN.builder().correlationId(request.properties().getCorrelationId()).build(),
                    bytes("answer to " + request.text()));
            request.ack(false);
            Message answer = answers.next();
            checkEqual(answer.text(), "answer to " + question);
            checkEqual(answer.properties().getCorrelationId(), correlationId);
        }
    }


    private void large() throws Exception {
        byte[] body = new byte[10 * 1024 * 1024 + 7];
        for (int i = 0; i < body.length; i++) body[i] = (byte) ("abcdefghijk".charAt(i % 11));
        Channel channel = confirming(connect(null));
        String queue = exclusiveQueue(channel);
        publish(channel, "", queue, PLAIN, body);
        Consumer consumer = new Consumer(channel, queue, 1);
        Message delivery = consumer.next();
        checkEqual(Arrays.equals(delivery.body(), body), true);
        consumer.cancel();
        delivery.requeue();
        Message fetched = fetch(channel, queue);
        checkEqual(Arrays.equals(fetched.body(), body), true);
        fetched.ack(false);
    }

    private void unicode() throws Exception {
        Channel channel = confirming(connect(null));
        String queue = name + " очередь 列";
        String exchange = name + " échange 交";
        channel.queueDeclare(queue, false, true, false, null);
        channel.exchangeDeclare(exchange, "topic", true);
        channel.queueBind(queue, exchange, UNICODE);
        Map<String, Object> headers = Map.of(UNICODE, "Grüße, 世界 🐇");
        publish(channel, exchange, UNICODE, PLAIN.builder().headers(headers).build(), bytes(UNICODE + " é"));
        Message delivery = fetch(channel, queue);
        checkEqual(delivery.text(), UNICODE + " é");
        checkEqual(readable(delivery.properties().getHeaders()), headers);
        channel.exchangeDelete(exchange);
    }

    private void headers() throws Exception {
        Map<String, Object> headers = new TreeMap<>();
        headers.put("text", "Grüße");
        headers.put("yes", true);
        headers.put("no", false);
        headers.put("byte", (byte) -42);
        headers.put("short", (short) -4242);
        headers.put("int", -424242);
        headers.put("long", 1L << 40);
        headers.put("float", 0.25f);
        headers.put("double", 1.5);
        headers.put("decimal", new BigDecimal("3.14"));
        headers.put("nothing", null);
        headers.put("time", new Date(1_700_000_000_000L));
        headers.put("list", Arrays.asList(1, "two", Map.of("three", 3), Collections.singletonList(null)));
        headers.put("table", Map.of("inner", Map.of("deep", "value")));
        Channel channel = confirming(connect(null));
        String queue = exclusiveQueue(channel);
        byte[] bytes = {0, -1, 1};
        Map<String, Object> sent = new TreeMap<>(headers);
        sent.put("bytes", bytes);
        publish(channel, "", queue, PLAIN.builder().headers(sent).build(), new byte[0]);
        Message delivery = fetch(channel, queue);
        checkEqual(delivery.body().length, 0);
        Map<String, Object> found = new TreeMap<>(delivery.properties().getHeaders());
        checkEqual(Arrays.equals((byte[]) found.remove("bytes"), bytes), true);
        checkEqual(readable(found), headers);
    }

    private void properties() throws Exception {
        AMQP.BasicProperties all = new AMQP.BasicProperties.Builder()
                .contentType("application/x-note").contentEncoding("utf-8").deliveryMode(PERSISTENT).priority(7)
                .correlationId("corrélation").replyTo("answers").expiration("600000").messageId("m-1")
                .timestamp(new Date(1_700_000_000_000L)).type("greeting").userId("guest").appId("interop")
                .build();
        Channel channel = confirming(connect(null));
        String queue = exclusiveQueue(channel);
        publish(channel, "", queue, all, bytes("all"));
        checkEqual(fetch(channel, queue).properties().toString(), all.toString());
    }

    private void heartbeat() throws Exception {
        Channel channel = confirming(connect(HEARTBEAT_S));
        String queue = exclusiveQueue(channel);
        Thread.sleep(SILENCE_MS);
        publishAll(channel, queue, List.of("alive")); // the queue is exclusive: it would be gone with a first connection
        checkEqual(fetch(channel, queue).text(), "alive");
    }

    private void tx() throws Exception {
        Connection connection = connect(null);
        Channel channel = confirming(connection);
        String queue = exclusiveQueue(channel);
        Channel transaction = connection.createChannel();
        transaction.txSelect();
        transaction.basicPublish("", queue, PLAIN, bytes("one"));
        transaction.basicPublish("", queue, PLAIN, bytes("two"));
        checkEqual(countReady(channel, queue), 0);
        transaction.txCommit();
        checkEqual(countReady(channel, queue), 2);
        transaction.basicPublish("", queue, PLAIN, bytes("three"));
        transaction.txRollback();
        transaction.txCommit();
        checkEqual(countReady(channel, queue), 2);
    }

    private void exchangeBinding() throws Exception {
        Channel channel = confirming(connect(null));
        String queue = exclusiveQueue(channel);
        String source = name + "-source";
        String destination = name + "-destination";
        channel.exchangeDeclare(source, "topic", true);
        channel.exchangeDeclare(destination, "fanout", true);
        channel.exchangeBind(destination, source, "through.#");
        channel.queueBind(queue, destination, "");
        publish(channel, source, "through.both", PLAIN, bytes("passed"));
        publish(channel, source, "elsewhere", PLAIN, bytes("not bound"));
        channel.exchangeUnbind(destination, source, "through.#");
        publish(channel, source, "through.both", PLAIN, bytes("unbound"));
        checkEqual(fetch(channel, queue).text(), "passed");
        checkEqual(fetch(channel, queue), null);
        channel.exchangeDelete(source);
        channel.exchangeDelete(destination);
    }

    private void recover() throws Exception {
        Channel channel = confirming(connect(null));
        String queue = exclusiveQueue(channel);
        publishAll(channel, queue, List.of("unsettled"));
        Consumer consumer = new Consumer(channel, queue, 5);
        checkEqual(consumer.next().isRedelivered(), false);
        channel.basicRecover(true);
        Message again = consumer.next();
        checkEqual(again.text(), "unsettled");
        checkEqual(again.isRedelivered(), true);
        again.ack(false);
        consumer.cancel();
        checkEqual(fetch(channel, queue), null);
    }

    private void cancel() throws Exception {
        Channel channel = confirming(connect(null));
        channel.queueDeclare(name, true, false, false, null);
        Consumer consumer = new Consumer(channel, name, 1);
        connect(null).createChannel().queueDelete(name);
        checkEqual(take(consumer.cancelled), consumer.tag);
        exclusiveQueue(channel);
    }

    /** Publishes until the connection ends, and looks for what was confirmed. */
    private void restart(String title) throws Exception {
        Connection connection = connect(null);
        BlockingQueue<Boolean> recovered = recoveriesOf(connection);
        Channel channel = confirming(connection);
        channel.queueDeclare(name, true, false, false, null);
        int confirmed = 0;
        try {
            for (;; confirmed++) {
                if (confirmed == CONFIRMED_BEFORE_RESTART) say("ready " + title);
                if (confirmed >= CONFIRMED_BEFORE_RESTART) Thread.sleep(PUBLISH_PAUSE_MS);
                publish(channel, "", name, PLAIN, bytes("message " + confirmed));
            }
        } catch (IOException | ShutdownSignalException lost) {
            take(recovered);
        }
        int ready = countReady(channel, name);
        Consumer consumer = new Consumer(channel, name, COLLECT_PREFETCH);
        List<String> found = new ArrayList<>();
        while (found.size() < ready) {
            Message message = consumer.next();
            found.add(message.text());
            message.ack(false);
        }
        consumer.cancel();
        checkEqual(confirmed >= CONFIRMED_BEFORE_RESTART, true);
        // The last one was under way: it may have been written and not confirmed.
        int count = found.size() == confirmed + 1 ? confirmed + 1 : confirmed;
        checkEqual(found, IntStream.range(0, count).mapToObj(i -> "message " + i).collect(Collectors.toList()));
        publishAll(channel, name, List.of("afterwards"));
        checkEqual(fetch(channel, name).text(), "afterwards");
        channel.queueDelete(name);
    }

    /**
     * Waits while the broker goes and comes back, and publishes from elsewhere. The client declares and binds again
     * what was declared, and consumes.
     */
    private void restartConsumer(String title) throws Exception {
        String exchange = name + "-exchange";
        Connection connection = connect(null);
        BlockingQueue<Boolean> recovered = recoveriesOf(connection);
        Channel channel = connection.createChannel();
        channel.exchangeDeclare(exchange, "topic", true);
        channel.queueDeclare(name, false, true, false, null);
        channel.queueBind(name, exchange, "key");
        Consumer consumer = new Consumer(channel, name, NO_ACKS);
        Connection before = connect(null);
        publish(confirming(before), exchange, "key", PLAIN, bytes("before"));
        checkEqual(consumer.next().text(), "before");
        before.close();
        connections.remove(before);
        say("ready " + title);
        take(recovered);
        Channel after = confirming(connect(null));
        publish(after, exchange, "key", PLAIN, bytes("after"));
        checkEqual(consumer.next().text(), "after");
        after.exchangeDelete(exchange);
    }

    /** Takes an entry whenever the client has recovered the connection and all that was on it. */
    private static BlockingQueue<Boolean> recoveriesOf(Connection connection) {
        BlockingQueue<Boolean> recovered = new LinkedBlockingQueue<>();
        ((Recoverable) connection).addRecoveryListener(new RecoveryListener() {
            @Override public void handleRecovery(Recoverable recoverable) {
                recovered.add(true);
            }

            @Override public void handleRecoveryStarted(Recoverable recoverable) {
                // Only its end counts.
            }
        });
        return recovered;
    }

    /** A new connection, closed when the scenario ends well. */
    private Connection connect(Integer heartbeatSeconds) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(url);
        if (url.startsWith("amqps:")) factory.useSslProtocol(trusting(System.getenv("INTEROP_CA")));
        factory.setNetworkRecoveryInterval(200);
        if (heartbeatSeconds != null) factory.setRequestedHeartbeat(heartbeatSeconds);
        // The usual one prints every attempt to recover that does not succeed.
        factory.setExceptionHandler(new DefaultExceptionHandler() {
            @Override public void handleConnectionRecoveryException(Connection connection, Throwable error) {
                // It tries again.
            }
        });
        Connection connection = factory.newConnection();
        connections.add(connection);
        return connection;
    }

    /** TLS that knows one authority, of which the file holds the certificate. */
    private static SSLContext trusting(String authority) throws Exception {
        KeyStore known = KeyStore.getInstance(KeyStore.getDefaultType());
        known.load(null, null);
        try (InputStream file = new FileInputStream(authority)) {
            known.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(known);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    private void close() throws IOException {
        for (Connection connection : connections) connection.close();
    }

    private static Channel confirming(Connection connection) throws IOException {
        Channel channel = connection.createChannel();
        channel.confirmSelect();
        return channel;
    }

    private static String exclusiveQueue(Channel channel) throws IOException {
        return channel.queueDeclare("", false, true, false, null).getQueue();
    }

    private static int countReady(Channel channel, String queue) throws IOException {
        return channel.queueDeclarePassive(queue).getMessageCount();
    }

    private static void publish(
            Channel channel, String exchange, String key, AMQP.BasicProperties properties, byte[] body)
            throws Exception {
        channel.basicPublish(exchange, key, properties, body);
        channel.waitForConfirmsOrDie(PATIENCE_MS);
    }

    private static void publishAll(Channel channel, String queue, List<String> texts) throws Exception {
        for (String text : texts) channel.basicPublish("", queue, PLAIN, bytes(text));
        channel.waitForConfirmsOrDie(PATIENCE_MS);
    }

    private interface Declaring {
        void on(Channel channel) throws IOException;
    }

    /** Declares on a channel of its own; answers with the reply code of the refusal. */
    private static int refusal(Connection connection, Declaring declaring) throws IOException {
        try {
            declaring.on(connection.createChannel());
            return 0;
        } catch (IOException error) {
            ShutdownSignalException signal = (ShutdownSignalException) error.getCause();
            return ((AMQP.Channel.Close) signal.getReason()).getReplyCode();
        }
    }

    private static Message fetch(Channel channel, String queue) throws IOException {
        GetResponse got = channel.basicGet(queue, false);
        return got == null ? null : new Message(channel, got.getEnvelope(), got.getProps(), got.getBody());
    }

    /** A message as it came from the broker. */
    private record Message(Channel channel, Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
        String text() {
            return new String(body, StandardCharsets.UTF_8);
        }

        boolean isRedelivered() {
            return envelope.isRedeliver();
        }

        void ack(boolean multiple) throws IOException {
            channel.basicAck(envelope.getDeliveryTag(), multiple);
        }

        void requeue() throws IOException {
            channel.basicNack(envelope.getDeliveryTag(), false, true);
        }

        void reject() throws IOException {
            channel.basicReject(envelope.getDeliveryTag(), false);
        }
    }

    /** Takes deliveries one by one, and hears of the end. */
    private static final class Consumer {
        final BlockingQueue<String> cancelled = new LinkedBlockingQueue<>();
        final String tag;
        private final BlockingQueue<Message> arrived = new LinkedBlockingQueue<>();
        private final Channel channel;

        Consumer(Channel channel, String queue, int prefetch) throws IOException {
            this.channel = channel;
            channel.basicQos(prefetch);
            DeliverCallback deliver = (tag, delivery) -> arrived.add(new Message(
                    channel, delivery.getEnvelope(), delivery.getProperties(), delivery.getBody()));
            CancelCallback cancel = cancelled::add;
            tag = channel.basicConsume(queue, prefetch == NO_ACKS, deliver, cancel);
        }

        Message next() throws Exception {
            return take(arrived);
        }

        void cancel() throws IOException {
            channel.basicCancel(tag);
        }
    }

    /** Long strings as strings; the rest as it is. */
    private static Object readable(Object value) {
        if (value instanceof LongString) return value.toString();
        if (value instanceof List<?> list) {
            return list.stream().map(JavaSession::readable).collect(Collectors.toCollection(ArrayList::new));
        }
        if (value instanceof Map<?, ?> map) {
            Map<Object, Object> copy = new TreeMap<>();
            map.forEach((key, inner) -> copy.put(key, readable(inner)));
            return copy;
        }
        return value;
    }

    private static <T> T take(BlockingQueue<T> queue) throws Exception {
        T item = queue.poll(PATIENCE_MS, TimeUnit.MILLISECONDS);
        if (item == null) throw new AssertionError("nothing came within " + PATIENCE_MS + " ms");
        return item;
    }

    private static void checkEqual(Object found, Object expected) {
        if (!Objects.equals(found, expected)) {
            throw new AssertionError("found " + found + ", expected " + expected);
        }
    }

    private static List<String> numbered(int count) {
        return IntStream.range(0, count).mapToObj(i -> "number " + i).collect(Collectors.toList());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
