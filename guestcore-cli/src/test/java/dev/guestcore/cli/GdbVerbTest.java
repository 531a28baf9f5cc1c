package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.testing.JsonSchema;
import dev.guestcore.testing.Samples;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code guestcore gdb} as a child that a debugger talks to. */
@Timeout(120)
class GdbVerbTest {

    /** "qC" and what a server of an x86 guest says to it. */
    private static final String ASKED = "$qC#b4";

    private static final String ANSWERED = "+$QC1#c5";

    @TempDir
    Path folder;

    private static String sample() {
        return Samples.core("vbox/7.0.10-A").toString();
    }

    private static Process child(String... arguments) throws IOException {
        List<String> words = new ArrayList<>(List.of("gdb"));
        words.addAll(List.of(arguments));
        return Child.start(words.toArray(String[]::new));
    }

    private static void ask(InputStream in, OutputStream out) throws IOException {
        out.write(ASKED.getBytes(StandardCharsets.US_ASCII));
        out.flush();
        assertEquals(ANSWERED, new String(in.readNBytes(ANSWERED.length()), StandardCharsets.US_ASCII));
    }

    private static void expectEnd(Process child, int code) throws IOException, InterruptedException {
        assertTrue(child.waitFor(60, TimeUnit.SECONDS), "the program ends");
        String err = new String(child.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(code, child.exitValue(), err);
        assertFalse(err.contains("\tat "), err);
    }

    private static int port(Process child) throws IOException {
        Matcher matcher =
                Pattern.compile("listening on 127\\.0\\.0\\.1 port (\\d+); Ctrl-C ends").matcher(line(child));
        assertTrue(matcher.find());
        int port = Integer.parseInt(matcher.group(1));
        assertEquals("connect with: gdb -ex 'target remote :" + port + "'", line(child));
        return port;
    }

    private static String line(Process child) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int symbol = child.getErrorStream().read(); symbol > '\n'; symbol = child.getErrorStream().read()) {
            line.append((char) symbol);
        }
        return line.toString();
    }

    @Test
    void speaksOverStandardStreamsUntilTheyEnd() throws Exception {
        Process child = child(sample(), "--stdio");
        try {
            ask(child.getInputStream(), child.getOutputStream());
            child.getOutputStream().close();
            assertEquals(-1, child.getInputStream().read());
            expectEnd(child, ExitCode.DONE);
        } finally {
            child.destroyForcibly();
        }
    }

    @Test
    void endsOnASignalWhileTheDebuggerIsSilent() throws Exception {
        Process child = child("demo:", "--stdio");
        try {
            ask(child.getInputStream(), child.getOutputStream());
            child.toHandle().destroy();
            expectEnd(child, ExitCode.DONE);
        } finally {
            child.destroyForcibly();
        }
    }

    @Test
    void endsAfterTheFirstClientIfAsked() throws Exception {
        Process child = child(sample(), "--port", "0", "--once");
        try {
            try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port(child))) {
                ask(client.getInputStream(), client.getOutputStream());
            }
            expectEnd(child, ExitCode.DONE);
        } finally {
            child.destroyForcibly();
        }
    }

    @Test
    void tellsProgramsWhereToConnect() throws Exception {
        Process child = child(sample(), "--port", "0", "--once", "--json");
        try (BufferedReader out = child.inputReader(StandardCharsets.UTF_8)) {
            StringBuilder text = new StringBuilder();
            for (String line = out.readLine(); line != null; line = line.equals("}") ? null : out.readLine()) {
                text.append(line);
            }
            Map<?, ?> document = JsonSchema.check(text.toString().getBytes(StandardCharsets.UTF_8));
            assertEquals("gdb", document.get("schema"));
            assertEquals(sample(), document.get("source"));
            String target = document.get("target").toString();
            int port = Integer.parseInt(target.substring(target.lastIndexOf(':') + 1));
            try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port)) {
                ask(client.getInputStream(), client.getOutputStream());
            }
            expectEnd(child, ExitCode.DONE);
        } finally {
            child.destroyForcibly();
        }
    }

    @Test
    void servesClientAfterClientUntilASignal() throws Exception {
        Process child = child(sample(), "--port", "0");
        try {
            int port = port(child);
            for (int i = 0; i < 3; i++) {
                try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port)) {
                    ask(client.getInputStream(), client.getOutputStream());
                }
            }
            child.toHandle().destroy();
            expectEnd(child, ExitCode.DONE);
        } finally {
            child.destroyForcibly();
        }
    }

    @Test
    void aSocketIsGoneAfterASignal() throws Exception {
        Path socket = folder.resolve("debugger");
        Process child = child(sample(), "--socket", socket.toString());
        try {
            assertTrue(line(child).startsWith("listening on " + socket));
            try (SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
                client.write(ByteBuffer.wrap(ASKED.getBytes(StandardCharsets.US_ASCII)));
                ByteBuffer answer = ByteBuffer.allocate(ANSWERED.length());
                while (answer.hasRemaining() && client.read(answer) >= 0) {
                    // until all is there
                }
                assertEquals(ANSWERED, new String(answer.array(), StandardCharsets.US_ASCII));
                child.toHandle().destroy();
                expectEnd(child, ExitCode.DONE);
            }
            assertFalse(Files.exists(socket));
        } finally {
            child.destroyForcibly();
        }
    }

    @Test
    void refusesWhatMakesNoSense() {
        Run.of("gdb", sample(), "--stdio", "--port", "0").refuses("choose one of");
        Run.of("gdb", sample(), "--port", "70000").refuses("0 to 65535");
        Run.of("gdb", folder.resolve("nothing").toString(), "--stdio").failsWith(ExitCode.FAILED, "nothing");
        Run.of("gdb", sample(), "--listen", "no.such.machine.invalid")
                .failsWith(ExitCode.FAILED, "no host is known by the name");
    }
}
