package dev.guestcore.store.http;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.SourceException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.inspect.GuestComparison;
import dev.guestcore.internal.remote.BlockCache;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.RangeServer;
import dev.guestcore.testing.SparseCore;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.KeyStore;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files on a server of this machine, with all its faults. */
class HttpBytesTest {

    private static final int BLOCK = BlockCache.BLOCK;
    private static final int SIZE = 40 * BLOCK + 123;
    private static final Patience SHORT = new Patience(3, Duration.ofSeconds(20), Duration.ZERO, Duration.ZERO);

    @TempDir
    Path folder;

    private static byte[] content() {
        byte[] bytes = new byte[SIZE];
        new Random(5).nextBytes(bytes);
        return bytes;
    }

    private RangeServer server(byte[] content) throws IOException {
        return new RangeServer(Files.write(folder.resolve("file"), content));
    }

    private static HttpBytes open(RangeServer server) {
        return open(server, SHORT);
    }

    private static HttpBytes open(RangeServer server, Patience patience) {
        return HttpBytes.open(URI.create(server.address("/vm.core")), "far", patience);
    }

    private static byte[] read(HttpBytes file, long offset, int length) {
        byte[] bytes = new byte[length];
        assertEquals(length, file.read(offset, MemorySegment.ofArray(bytes), length));
        return bytes;
    }

    private static String failure(RangeServer server) {
        return assertThrows(SourceException.class, () -> open(server).close()).getMessage();
    }

    private static String laterFailure(RangeServer server, HttpBytes file) {
        return assertThrows(SourceException.class, () -> read(file, 20 * BLOCK, 1)).getMessage();
    }

    @Test
    void anyPartIsReadAndKept() throws IOException {
        byte[] content = content();
        try (RangeServer server = server(content);
                HttpBytes file = open(server)) {
            assertEquals(SIZE, file.size());
            assertEquals(1, server.requests.get());
            Random random = new Random(6);
            for (int i = 0; i < 200; i++) {
                int offset = random.nextInt(SIZE);
                int length = 1 + random.nextInt(Math.min(3 * BLOCK, SIZE - offset));
                assertArrayEquals(Arrays.copyOfRange(content, offset, offset + length), read(file, offset, length));
            }
            assertEquals(SIZE, server.sent.get(), "every byte is fetched once");
        }
    }

    @Test
    void readsThatFollowEachOtherFetchEverMore() throws IOException {
        byte[] content = content();
        try (RangeServer server = server(content);
                HttpBytes file = open(server)) {
            for (int offset = 0; offset < SIZE; offset += 4096) {
                int length = Math.min(4096, SIZE - offset);
                assertArrayEquals(Arrays.copyOfRange(content, offset, offset + length), read(file, offset, length));
            }
            assertTrue(server.requests.get() <= 7, () -> server.requests + " requests");
        }
    }

    @Test
    void readsHereAndThereFetchWhatTheyNeed() throws IOException {
        try (RangeServer server = server(content());
                HttpBytes file = open(server)) {
            for (int block = 39; block > 0; block -= 3) {
                read(file, (long) block * BLOCK + 5, 8);
            }
            assertEquals(14L * BLOCK, server.sent.get());
        }
    }

    @Test
    void threadsFetchNoBlockTwice() throws Exception {
        byte[] content = content();
        try (RangeServer server = server(content);
                HttpBytes file = open(server);
                ExecutorService threads = Executors.newFixedThreadPool(8)) {
            List<Callable<byte[]>> work = IntStream.range(0, 8)
                    .<Callable<byte[]>>mapToObj(i -> () -> read(file, 0, SIZE))
                    .toList();
            for (Future<byte[]> result : threads.invokeAll(work)) {
                assertArrayEquals(content, result.get());
            }
            assertEquals(SIZE, server.sent.get());
        }
    }

    @Test
    void aFileThatIsLargerThanTheCacheIsReadThroughIt() throws IOException {
        Path large = folder.resolve("large");
        long size = 100L << 20;
        try (FileChannel channel = FileChannel.open(large, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            for (long at = 0; at < size; at += BLOCK) {
                channel.write(ByteBuffer.allocate(8).putLong(0, at), at);
            }
            channel.write(ByteBuffer.allocate(1), size - 1);
        }
        try (RangeServer server = new RangeServer(large);
                HttpBytes file = open(server)) {
            for (int pass = 0; pass < 2; pass++) {
                for (long at = 0; at < size; at += BLOCK) {
                    assertEquals(at, ByteBuffer.wrap(read(file, at, 8)).getLong());
                }
            }
        }
    }

    @Test
    void anInterruptedThreadReadsAndStaysInterrupted() throws IOException {
        byte[] content = content();
        try (RangeServer server = server(content);
                HttpBytes file = open(server)) {
            Thread.currentThread().interrupt();
            byte[] read = read(file, 7 * BLOCK, 100);
            assertTrue(Thread.interrupted());
            assertArrayEquals(Arrays.copyOfRange(content, 7 * BLOCK, 7 * BLOCK + 100), read);
        }
    }

    @Test
    void whoHoldsTheFileReadsWhenAnotherClosedIt() throws IOException {
        byte[] content = content();
        try (RangeServer server = server(content)) {
            HttpBytes file = open(server);
            try (HttpBytes again = (HttpBytes) file.reopen()) {
                file.close();
                file.close();
                assertArrayEquals(Arrays.copyOf(content, 10), read(again, 0, 10));
                assertThrows(IllegalStateException.class, () -> read(file, 0, 10));
            }
            assertEquals(1, server.requests.get());
        }
    }

    @Test
    void aServerWithoutRangesIsNotReadWhole() throws IOException {
        try (RangeServer server = server(content())) {
            server.next(1, exchange -> {
                exchange.sendResponseHeaders(200, 1L << 40);
                exchange.getResponseBody().write(new byte[4096]);
                exchange.getResponseBody().flush();
            });
            assertEquals(
                    "far: the server gives the file as a whole only, not ranges of it; download it, and open the copy",
                    failure(server));
            assertEquals(1, server.requests.get());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "401,denies access (401)", "403,denies access (403)", "404,has no such file (404)",
        "410,has no such file (410)",
        "400,the server answers 400", "204,the server answers 204"
    })
    void whatDoesNotPassIsTriedOnce(int status, String message) throws IOException {
        try (RangeServer server = server(content())) {
            server.next(1, RangeServer.status(status));
            String error = failure(server);
            assertTrue(error.startsWith("far: ") && error.contains(message), error);
            assertEquals(1, server.requests.get());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {408, 429, 500, 502, 503, 504})
    void whatMayPassIsTriedAgain(int status) throws IOException {
        byte[] content = content();
        try (RangeServer server = server(content)) {
            server.next(2, RangeServer.status(status, "Retry-After", "1"));
            try (HttpBytes file = open(server)) {
                server.next(2, RangeServer.status(status));
                assertArrayEquals(Arrays.copyOfRange(content, 5 * BLOCK, 5 * BLOCK + 10), read(file, 5 * BLOCK, 10));
                assertEquals(6, server.requests.get());
                server.next(3, RangeServer.status(status));
                String error = laterFailure(server, file);
                assertTrue(error.startsWith("far: the server answers " + status), error);
                assertTrue(error.endsWith(", in 3 attempts; try again later"), error);
                assertArrayEquals(Arrays.copyOfRange(content, 20 * BLOCK, 20 * BLOCK + 10), read(file, 20 * BLOCK, 10));
            }
        }
    }

    @Test
    void aConnectionThatIsCutIsMadeAgain() throws IOException {
        byte[] content = content();
        try (RangeServer server = server(content);
                HttpBytes file = open(server)) {
            server.next(2, server.cutAfter(100));
            assertArrayEquals(Arrays.copyOfRange(content, 5 * BLOCK, 6 * BLOCK), read(file, 5 * BLOCK, BLOCK));
            server.next(3, server.cutAfter(0));
            assertEquals("far: the connection was cut, in 3 attempts; try again later", laterFailure(server, file));
        }
    }

    @Test
    void aServerThatFallsSilentIsAnError() throws IOException {
        try (RangeServer server = server(content())) {
            Patience none = new Patience(2, Duration.ofMillis(300), Duration.ZERO, Duration.ZERO);
            server.next(2, server.silence());
            String error = assertThrows(SourceException.class, () -> open(server, none).close()).getMessage();
            assertTrue(error.contains("in 2 attempts"), error);
        }
    }

    @Test
    void aServerThatFallsSilentInTheMiddleIsAnError() throws IOException {
        try (RangeServer server = server(content())) {
            Patience none = new Patience(2, Duration.ofMillis(300), Duration.ZERO, Duration.ZERO);
            RangeServer.Answer stalls = exchange -> {
                exchange.getResponseHeaders().set("Content-Range", "bytes 0-65535/" + SIZE);
                exchange.sendResponseHeaders(206, 65536);
                exchange.getResponseBody().write(new byte[100]);
                exchange.getResponseBody().flush();
                server.silence().to(exchange);
            };
            server.next(2, stalls);
            String error = assertThrows(SourceException.class, () -> open(server, none).close()).getMessage();
            assertEquals("far: the server has sent nothing for 1 s, in 2 attempts; try again later", error);
        }
    }

    @Test
    void aServerThatDripsIsAnError() throws IOException {
        try (RangeServer server = server(content())) {
            Patience none = new Patience(1, Duration.ofMillis(300), Duration.ZERO, Duration.ZERO);
            server.next(1, server.dripping(Duration.ofMillis(20)));
            String error = assertThrows(SourceException.class, () -> open(server, none).close()).getMessage();
            assertEquals("far: the server has sent next to nothing for 1 s, in 1 attempts; try again later", error);
        }
    }

    @Test
    void redirectsAreFollowed() throws IOException {
        byte[] content = content();
        try (RangeServer server = server(content)) {
            server.next(1, RangeServer.status(302, "Location", "/elsewhere?signature=secret"));
            try (HttpBytes file = open(server)) {
                server.next(1, RangeServer.status(307, "Location", "/elsewhere"));
                assertArrayEquals(Arrays.copyOfRange(content, 5 * BLOCK, 5 * BLOCK + 10), read(file, 5 * BLOCK, 10));
            }
            server.next(20, RangeServer.status(302, "Location", "/round"));
            assertTrue(failure(server).startsWith("far: the server answers 302"), "redirects that never end");
        }
    }

    @Test
    void aFileThatChangedIsAnError() throws IOException {
        for (boolean matches : new boolean[] {true, false}) {
            try (RangeServer server = server(content());
                    HttpBytes file = open(server)) {
                server.matches = matches;
                server.tag = "\"two\"";
                assertEquals("far: the file changed while it was read; open it again, when nobody writes it any more",
                        laterFailure(server, file));
            }
        }
    }

    @Test
    void aFileThatGrewOrShrankIsAnErrorWithoutATag() throws IOException {
        for (int size : new int[] {SIZE + 1, SIZE - 1, 10}) {
            try (RangeServer server = server(content())) {
                server.tag = null;
                try (HttpBytes file = open(server)) {
                    assertTrue(file.findings().getFirst().message().contains("neither an ETag nor a time"));
                    Files.write(folder.resolve("file"), Arrays.copyOf(content(), size));
                    assertTrue(laterFailure(server, file).contains("the file changed while it was read"));
                }
            }
        }
    }

    @Test
    void aWeakTagIsCompared() throws IOException {
        try (RangeServer server = server(content())) {
            server.tag = "W/\"one\"";
            try (HttpBytes file = open(server)) {
                read(file, 3 * BLOCK, 1);
                server.tag = "W/\"two\"";
                assertTrue(laterFailure(server, file).contains("the file changed while it was read"));
            }
        }
    }

    @Test
    void anotherRangeThanTheOneAskedForIsAnError() throws IOException {
        try (RangeServer server = server(content());
                HttpBytes file = open(server)) {
            server.next(1, server.shifted(512));
            assertTrue(laterFailure(server, file)
                    .startsWith("far: the server gives another range than bytes 1310720 to "));
            server.next(1, RangeServer.status(206, "ETag", "\"one\""));
            assertTrue(laterFailure(server, file)
                    .startsWith("far: the server gives an answer without a range and a size"));
            server.next(1, RangeServer.status(206, "Content-Range", "bytes 1310720-1376255/*", "ETag", "\"one\""));
            assertTrue(laterFailure(server, file)
                    .startsWith("far: the server gives an answer without a range and a size"));
            server.next(1, RangeServer.status(206, "Content-Range", "bytes 1310720-1376255/" + SIZE, "ETag", "\"one\"",
                    "Content-Encoding", "gzip"));
            assertTrue(laterFailure(server, file).startsWith("far: the server gives a range that is compressed"));
        }
    }

    @Test
    void moreBytesThanAnnouncedAreAnError() throws IOException {
        try (RangeServer server = server(content());
                HttpBytes file = open(server)) {
            server.next(1, exchange -> {
                exchange.getResponseHeaders().set("Content-Range", "bytes 1310720-1376255/" + SIZE);
                exchange.getResponseHeaders().set("ETag", "\"one\"");
                exchange.sendResponseHeaders(206, 0);
                exchange.getResponseBody().write(new byte[BLOCK + 1]);
            });
            assertTrue(laterFailure(server, file).startsWith("far: the server gives another range"));
        }
    }

    @Test
    void anEmptyFileIsOne() throws IOException {
        try (RangeServer server = server(new byte[0]);
                HttpBytes file = open(server)) {
            assertEquals(0, file.size());
        }
    }

    @Test
    void noServerIsAnErrorAtOnce() throws IOException {
        String address;
        try (RangeServer server = server(content())) {
            address = server.address("/vm.core?signature=secret");
        }
        String error = assertThrows(SourceException.class, () -> Guests.open(address)).getMessage();
        assertTrue(error.endsWith("/vm.core?...: the server refuses the connection; check the address and the port"),
                error);
    }

    /** Whoever sits on the way has a certificate as well, but none that is vouched for. */
    @Test
    @Tag("slow")
    void aServerWhoseCertificateNobodySignedGetsNoRequest() throws Exception {
        Path keys = folder.resolve("keys");
        Process keytool = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair", "-keyalg", "EC", "-storetype", "PKCS12", "-keystore", keys.toString(), "-storepass",
                "secret", "-dname", "CN=localhost", "-ext", "san=dns:localhost,ip:127.0.0.1")
                .redirectErrorStream(true)
                .start();
        String said = new String(keytool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, keytool.waitFor(), said);
        KeyStore store = KeyStore.getInstance(keys.toFile(), "secret".toCharArray());
        KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        factory.init(store, "secret".toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(factory.getKeyManagers(), null, null);
        HttpsServer server = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(context));
        AtomicInteger requests = new AtomicInteger();
        server.createContext("/", exchange -> {
            requests.incrementAndGet();
            exchange.close();
        });
        server.start();
        try {
            String address = "https://localhost:" + server.getAddress().getPort() + "/vm.core?signature=secret";
            String error = assertThrows(SourceException.class, () -> Guests.open(address)).getMessage();
            assertTrue(error.contains("/vm.core?...: ") && error.contains("certificat"), error);
            assertEquals(1, error.lines().count(), error);
            assertEquals(0, requests.get());
        } finally {
            server.stop(0);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "http://user:secret@localhost/vm.core", "http:///vm.core?secret", "http://localhost/a b?secret",
        "http://localhost/vm.core#secret", "ftp://localhost/vm.core?secret", "http://no-such-host.invalid/?secret"
    })
    void anAddressThatIsNoneIsAnErrorWithoutItsSecret(String address) {
        String error = assertThrows(SourceException.class, () -> Guests.open(address)).getMessage();
        assertFalse(error.contains("secret"), error);
        assertTrue(error.lines().count() == 1, error);
    }

    private Path core(String format) {
        byte[] memory = new byte[1 << 20];
        new Random(7).nextBytes(memory);
        Path core = folder.resolve("core." + format);
        try (Guest guest = Guest.builder()
                .ram(0, MemorySegment.ofArray(memory))
                .vcpu(RegisterState.builder().set(X86.RIP, 1).build())
                .build()) {
            Guests.format(format).writer(Map.of()).write(guest, core, Progress.none());
        }
        return core;
    }

    @ParameterizedTest
    @ValueSource(strings = {"elf", "kdump", "lime", "avml", "vbox", "xen"})
    void everyFormatIsReadFromAServer(String format) throws IOException {
        Path core = core(format);
        try (RangeServer server = new RangeServer(core);
                Guest near = Guests.open(core);
                Guest far = Guests.open(server.address("/vm.core?signature=secret"))) {
            assertTrue(GuestComparison.compare(near, far, Progress.none()).isIdentical());
            assertEquals(server.address("/vm.core?..."), far.provenance().source());
            assertTrue(Guests.verify(server.address("/vm.core"), true, Progress.none()).isPassed());
        }
    }

    @Test
    void partsMayBeOnAServer() throws IOException {
        byte[] content = content();
        try (RangeServer server = server(content);
                Guest guest = Guests.open("raw:" + server.address("/low?sig=a@b,c") + "@0," + server.address("/high")
                        + "@4G")) {
            assertEquals(2, guest.memory().regions().size());
            byte[] page = new byte[4096];
            guest.memory().read(0x1_0000_0000L + BLOCK, MemorySegment.ofArray(page));
            assertArrayEquals(Arrays.copyOfRange(content, BLOCK, BLOCK + 4096), page);
            assertFalse(guest.provenance().source().contains("sig"), guest.provenance().source());
        }
    }

    @Test
    void aCompressedFileOnAServerIsDecompressed() throws IOException {
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(packed)) {
            gzip.write(content());
        }
        try (RangeServer server = server(packed.toByteArray());
                FileBytes file = FileBytes.open(server.address("/vm.core.gz"), Progress.none())) {
            assertEquals(SIZE, file.size());
            assertEquals("gzip", file.compression().orElseThrow());
        }
    }

    @Test
    void openingALargeCoreFetchesLittle() throws IOException {
        try (RangeServer server = new RangeServer(SparseCore.write(folder.resolve("sparse.core"), 64L << 30));
                Guest guest = Guests.open(server.address("/vm.core"))) {
            assertEquals(1, guest.vcpus().size());
            assertEquals((64L << 30) - 1, guest.memory().regions().getLast().range().last());
            assertTrue(server.sent.get() < 1 << 20, () -> server.sent + " bytes");
        }
    }
}
