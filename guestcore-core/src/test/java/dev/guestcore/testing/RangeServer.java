package dev.guestcore.testing;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A server on this machine that gives ranges of one file, and fails as it is told to. */
public final class RangeServer implements AutoCloseable {

    private static final Pattern RANGE = Pattern.compile("bytes=(\\d+)-(\\d+)");

    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final FileChannel file;
    private final Queue<Answer> faults = new ArrayDeque<>();
    private final CountDownLatch end = new CountDownLatch(1);

    /** How many requests were answered. */
    public final AtomicInteger requests = new AtomicInteger();

    /** How many bytes of the file were sent. */
    public final AtomicLong sent = new AtomicLong();

    /** What the server calls this state of the file; null for nothing. */
    public volatile String tag = "\"one\"";

    /** Whether it obeys If-Match. */
    public volatile boolean matches = true;

    /** Answers a request in another way. */
    @FunctionalInterface
    public interface Answer {

        /** Answers; the exchange is closed afterwards. */
        void to(HttpExchange exchange) throws IOException;
    }

    /** Serves a file under any path. */
    public RangeServer(Path path) throws IOException {
        file = FileChannel.open(path);
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(threads);
        server.createContext("/", this::answer);
        server.start();
    }

    /** Address of the file. */
    public String address(String pathAndQuery) {
        return "http://localhost:" + server.getAddress().getPort() + pathAndQuery;
    }

    /** The next requests are answered like this, each by one; the ones after them as usual. */
    public void next(int times, Answer answer) {
        synchronized (faults) {
            for (int i = 0; i < times; i++) {
                faults.add(answer);
            }
        }
    }

    /** An answer without a body. */
    public static Answer status(int status, String... headers) {
        return exchange -> {
            for (int i = 0; i < headers.length; i += 2) {
                exchange.getResponseHeaders().set(headers[i], headers[i + 1]);
            }
            exchange.sendResponseHeaders(status, -1);
        };
    }

    /** Says that it gives the range, sends so many bytes of it, and cuts the connection. */
    public Answer cutAfter(int bytes) {
        return exchange -> range(exchange, 0, bytes);
    }

    /** Gives a range that begins so many bytes later. */
    public Answer shifted(int bytes) {
        return exchange -> range(exchange, bytes, Integer.MAX_VALUE);
    }

    /** Says nothing until the server ends. */
    public Answer silence() {
        return exchange -> {
            try {
                end.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        };
    }

    /** Says that it gives the range, and sends a byte at a time until nobody listens, or the server ends. */
    public Answer dripping(Duration pause) {
        return exchange -> {
            exchange.getResponseHeaders().set("Content-Range", "bytes 0-65535/65536");
            exchange.sendResponseHeaders(206, 65536);
            try {
                while (!end.await(pause.toMillis(), TimeUnit.MILLISECONDS)) {
                    exchange.getResponseBody().write(0);
                    exchange.getResponseBody().flush();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        };
    }

    private void answer(HttpExchange exchange) throws IOException {
        requests.incrementAndGet();
        try (exchange) {
            Answer fault;
            synchronized (faults) {
                fault = faults.poll();
            }
            if (fault != null) {
                fault.to(exchange);
            } else {
                range(exchange, 0, Integer.MAX_VALUE);
            }
        }
    }

    private void range(HttpExchange exchange, int shift, int most) throws IOException {
        String match = exchange.getRequestHeaders().getFirst("If-Match");
        if (matches && match != null && !match.equals(tag)) {
            status(412).to(exchange);
            return;
        }
        Matcher range = RANGE.matcher(String.valueOf(exchange.getRequestHeaders().getFirst("Range")));
        if (!range.matches()) {
            status(400).to(exchange);
            return;
        }
        long size = file.size();
        long first = Long.parseLong(range.group(1)) + shift;
        long last = Math.min(Long.parseLong(range.group(2)) + shift, size - 1);
        if (first >= size) {
            status(416, "Content-Range", "bytes */" + size).to(exchange);
            return;
        }
        if (tag != null) {
            exchange.getResponseHeaders().set("ETag", tag);
        }
        exchange.getResponseHeaders().set("Content-Range", "bytes " + first + "-" + last + "/" + size);
        exchange.sendResponseHeaders(206, last - first + 1);
        OutputStream body = exchange.getResponseBody();
        byte[] bytes = new byte[1 << 14];
        for (long at = first; at <= last && at - first < most;) {
            int wanted = (int) Math.min(Math.min(bytes.length, last - at + 1), most - (at - first));
            int count = file.read(ByteBuffer.wrap(bytes, 0, wanted), at);
            body.write(bytes, 0, count);
            sent.addAndGet(count);
            at += count;
        }
        body.flush();
    }

    @Override
    public void close() {
        end.countDown();
        server.stop(0);
        threads.close();
        try {
            file.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
