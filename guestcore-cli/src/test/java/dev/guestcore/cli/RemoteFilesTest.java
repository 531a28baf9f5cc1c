package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.testing.RangeServer;
import dev.guestcore.testing.SparseCore;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Cores on a server, from the command line. */
class RemoteFilesTest {

    private static final String SECRET = "s3cret";

    @TempDir
    Path folder;

    private RangeServer server;
    private String address;

    @BeforeEach
    void serve() throws IOException {
        serve(1 << 20);
    }

    private void serve(long memory) throws IOException {
        server = new RangeServer(SparseCore.write(folder.resolve("vm" + memory + ".core"), memory));
        address = server.address("/vm.core?X-Amz-Signature=" + SECRET);
    }

    @AfterEach
    void stop() {
        server.close();
    }

    @Test
    void infoOfALargeCoreFetchesLittleAndSaysHowMuch() throws IOException {
        stop();
        serve(64L << 30);
        String told = Run.of("info", address, "--stats").expect(ExitCode.DONE).err();
        assertTrue(server.sent.get() < 2 << 20, () -> server.sent + " bytes");
        assertTrue(told.matches("(?s).*guestcore: fetched ~?[0-9.]+ [KM]iB in " + server.requests.get()
                + " requests?, [0-9.]+ s\n"), told);
    }

    @Test
    void withoutAServerNothingIsFetched() {
        String told = Run.of("formats", "--stats").expect(ExitCode.DONE).err();
        assertTrue(told.contains("guestcore: fetched "), told);
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "info", "info --json", "info --all", "regs", "regs --json", "map", "map --json", "formats", "formats --json",
        "verify",
        "verify --json", "read 0x0 16", "read --json 0x0 16", "read --virtual 0x7000 8", "translate 0x7000", "ps", "bt",
        "verify --manifest", "info --cpu 9", "regs --cpu 9", "search --range 0x0-0xfff text", "diff ."
    })
    void noSecretIsShown(String command) {
        String[] words = command.replace(" .", " " + address).split(" ");
        String[] all = new String[words.length + 1];
        all[0] = words[0];
        int options = 1;
        while (options < words.length && words[options].startsWith("--")
                && words[options].matches("--json|--all|--manifest|--virtual")) {
            all[options] = words[options];
            options++;
        }
        all[options] = address;
        System.arraycopy(words, options, all, options + 1, words.length - options);
        Run run = Run.of(all);
        assertFalse(run.out().contains(SECRET), run.out());
        assertFalse(run.err().contains(SECRET), run.err());
    }

    @ParameterizedTest
    @ValueSource(ints = {403, 404})
    void anErrorIsOneLineWithoutTheSecret(int status) {
        server.next(1, RangeServer.status(status));
        String error = Run.of("info", address).expect(ExitCode.FAILED).err();
        assertTrue(error.lines().count() == 1, error);
        assertTrue(error.startsWith("guestcore: " + server.address("/vm.core?...") + ": the server "), error);
    }

    @Test
    void formatsNamesWhatIsOnAServer() {
        assertTrue(Run.of("formats").expect(ExitCode.DONE).out().contains("https://HOST/PATH"));
        assertTrue(Run.of("formats", address).expect(ExitCode.DONE).out().contains("elf         general"));
    }
}
