package dev.guestcore.store.http;

import dev.guestcore.error.SourceException;
import dev.guestcore.file.Fetched;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.channels.UnresolvedAddressException;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;

/**
 * Asks a server for ranges of one file, again where a fault may pass, and makes sure that every answer is about the same
 * file: by its ETag, the time of its last change and its size. Thread-safe once it is open.
 */
final class HttpRanges {

    private static final int PARTIAL = 206;
    private static final int UNSATISFIABLE = 416;

    /** Those that say "not now": too early, too many requests, an error of the server or one behind it. */
    private static final Set<Integer> PASSING = Set.of(408, 425, 429, 500, 502, 503, 504);

    /** Who sends fewer bytes in the time in which an answer is due would never end. */
    private static final long SLOWEST = 4096;

    private static final Pattern RANGE = Pattern.compile("bytes +(\\d{1,18})-(\\d{1,18})/(\\d{1,18})");
    private static final Pattern NO_BYTES = Pattern.compile("bytes +\\*/0+");

    private final URI address;
    private final String name;
    private final Patience patience;
    private long size = -1;
    private Optional<String> tag = Optional.empty();
    private Optional<String> changed = Optional.empty();

    /** One for the process, made when it is needed; its threads do not keep the process alive. */
    private static final class Client {

        private static final HttpClient SHARED = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .followRedirects(HttpClient.Redirect.NORMAL)
                .connectTimeout(Duration.ofSeconds(10))
                .build();
    }

    HttpRanges(URI address, String name, Patience patience) {
        this.address = address;
        this.name = name;
        this.patience = patience;
    }

    String name() {
        return name;
    }

    /** Size of the file in bytes. */
    long size() {
        return size;
    }

    /** Whether a change of the file that keeps its size would be noticed. */
    boolean canTellChanges() {
        return tag.isPresent() || changed.isPresent();
    }

    /**
     * Fetches the beginning of the file, and learns its size from the answer.
     *
     * @return how many bytes the target has received
     * @throws SourceException if there is no such file, or the server does not give ranges of it
     */
    long open(MemorySegment target) {
        return request(0, target);
    }

    /**
     * Fetches a range.
     *
     * @throws SourceException if that fails, or the file has changed
     */
    void fetch(long offset, MemorySegment target) {
        request(offset, target);
    }

    private long request(long offset, MemorySegment target) {
        int failed = 0;
        while (true) {
            try {
                return requestOnce(offset, target);
            } catch (PassingFault e) {
                failed++;
                if (failed == patience.attempts()) {
                    throw new SourceException(name + ": " + e.getMessage() + ", in " + failed
                            + " attempts; try again later", e);
                }
                patience.pause(failed, e.pause());
            }
        }
    }

    private long requestOnce(long offset, MemorySegment target) throws PassingFault {
        long last = offset + target.byteSize() - 1;
        HttpRequest.Builder request = HttpRequest.newBuilder(address)
                .timeout(patience.answer())
                .header("Range", "bytes=" + offset + "-" + last)
                .header("Accept-Encoding", "identity")
                .header("User-Agent", "guestcore");
        tag.filter(value -> !value.startsWith("W/")).ifPresent(value -> request.header("If-Match", value));
        RangeBody body = new RangeBody(target);
        RangeBody nothing = new RangeBody(target.asSlice(0, 0));
        Fetched.request();
        try {
            HttpResponse<Long> response = await(
                    Client.SHARED.sendAsync(
                            request.build(), info -> info.statusCode() == PARTIAL ? body : nothing),
                    body);
            return take(response, offset, last, body.count());
        } finally {
            body.end();
        }
    }

    /** Waits as long as bytes arrive. An interrupted thread waits as well, and stays interrupted. */
    private HttpResponse<Long> await(CompletableFuture<HttpResponse<Long>> answer, RangeBody body) throws PassingFault {
        boolean interrupted = false;
        long before = -SLOWEST;
        try {
            while (true) {
                try {
                    return answer.get(patience.answer().toNanos(), TimeUnit.NANOSECONDS);
                } catch (InterruptedException e) {
                    interrupted = true;
                } catch (TimeoutException e) {
                    long now = body.count();
                    if (now < before + SLOWEST) {
                        answer.cancel(true);
                        throw new PassingFault("the server has sent " + (now == before ? "nothing" : "next to nothing")
                                + " for " + seconds(), Duration.ZERO);
                    }
                    before = now;
                } catch (ExecutionException e) {
                    throw fault(e.getCause() == null ? e : e.getCause());
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private String seconds() {
        return Math.max(1, patience.answer().toSeconds()) + " s";
    }

    private PassingFault fault(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof UnresolvedAddressException) {
                throw new SourceException(name + ": there is no host '" + address.getHost() + "', or no network",
                        failure);
            }
            if (cause instanceof SSLException) {
                throw new SourceException(name + ": no secure connection: " + cause.getMessage()
                        + "; if the server's certificate is of your own authority, give Java its trust store"
                        + " (GUESTCORE_JAVA_OPTIONS=-Djavax.net.ssl.trustStore=FILE)", failure);
            }
        }
        if (failure instanceof ConnectException || failure instanceof HttpConnectTimeoutException) {
            String why = failure instanceof ConnectException ? "refuses the connection" : "does not answer";
            if (size < 0) {
                throw new SourceException(name + ": the server " + why + "; check the address and the port", failure);
            }
            return new PassingFault("the server " + why, Duration.ZERO);
        }
        if (failure instanceof HttpTimeoutException) {
            return new PassingFault("the server has not answered for " + seconds(), Duration.ZERO);
        }
        if (failure instanceof IOException) {
            return new PassingFault("the connection was cut", Duration.ZERO);
        }
        throw new SourceException(name + ": cannot be requested: " + failure.getMessage(), failure);
    }

    /** What an answer gives; makes sure that it is what was asked for. */
    private long take(HttpResponse<Long> response, long offset, long last, long count) throws PassingFault {
        int status = response.statusCode();
        String range = response.headers().firstValue("Content-Range").orElse("");
        if (status == PARTIAL) {
            return takeRange(response, range, offset, last, count);
        }
        if (PASSING.contains(status)) {
            throw new PassingFault("the server answers " + status + meaning(status), pauseOf(response));
        }
        if (status == UNSATISFIABLE && size < 0 && NO_BYTES.matcher(range).matches()) {
            size = 0;
            return 0;
        }
        throw new SourceException(name + ": " + switch (status) {
            case 200 -> "the server gives the file as a whole only, not ranges of it; download it, and open the copy";
            case 401, 403 -> "the server denies access (" + status
                    + "); a presigned address may have expired, or needs to be copied with all that follows the ?";
            case 404, 410 -> "the server has no such file (" + status + "); check the address";
            case 412, UNSATISFIABLE -> changed();
            default -> "the server answers " + status + ", and not with a range of the file; check the address";
        });
    }

    private long takeRange(HttpResponse<Long> response, String range, long offset, long last, long count)
            throws PassingFault {
        Matcher matcher = RANGE.matcher(range);
        if (!matcher.matches()) {
            throw wrong("an answer without a range and a size"
                    + (range.isEmpty() ? "" : " (Content-Range: " + printable(range) + ")"));
        }
        if (response.headers()
                .firstValue("Content-Encoding")
                .filter(encoding -> !encoding.equals("identity"))
                .isPresent()) {
            throw wrong("a range that is compressed on its way");
        }
        long total = Long.parseLong(matcher.group(3));
        requireSame(response, total);
        long expected = Math.min(last, total - 1) - offset + 1;
        if (Long.parseLong(matcher.group(1)) != offset || Long.parseLong(matcher.group(2)) != offset + expected - 1
                || count > expected) {
            throw wrong("another range than bytes " + offset + " to " + (offset + expected - 1) + " (Content-Range: "
                    + printable(range) + ")");
        }
        if (count < expected) {
            throw new PassingFault("the connection was cut", Duration.ZERO);
        }
        return count;
    }

    private void requireSame(HttpResponse<Long> response, long total) {
        Optional<String> nowTag = response.headers().firstValue("ETag");
        Optional<String> nowChanged = response.headers().firstValue("Last-Modified");
        if (size < 0) {
            size = total;
            tag = nowTag;
            changed = nowChanged;
        } else if (total != size || !nowTag.equals(tag) || !nowChanged.equals(changed)) {
            throw new SourceException(name + ": " + changed());
        }
    }

    private static String changed() {
        return "the file changed while it was read; open it again, when nobody writes it any more";
    }

    private SourceException wrong(String what) {
        return new SourceException(name + ": the server gives " + what + "; download the file, and open the copy");
    }

    private static String meaning(int status) {
        return switch (status) {
            case 429, 503 -> " (too busy)";
            case 502, 504 -> " (it cannot reach the one behind it)";
            default -> "";
        };
    }

    private static Duration pauseOf(HttpResponse<?> response) {
        return response.headers()
                .firstValue("Retry-After")
                .filter(value -> value.matches("\\d{1,6}"))
                .map(value -> Duration.ofSeconds(Long.parseLong(value)))
                .orElse(Duration.ZERO);
    }

    private static String printable(String header) {
        return header.length() > 80 ? header.substring(0, 80) + "..." : header;
    }
}
