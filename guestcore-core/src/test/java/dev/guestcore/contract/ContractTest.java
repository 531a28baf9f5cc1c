package dev.guestcore.contract;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.Provenance;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.ByteStore;
import dev.guestcore.file.FileBytes;
import dev.guestcore.file.Locations;
import dev.guestcore.format.Check;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.OneFileFormat;
import dev.guestcore.format.Probe;
import dev.guestcore.format.WriteOption;
import dev.guestcore.open.Guests;
import dev.guestcore.open.Scheme;
import dev.guestcore.source.GuestSource;
import dev.guestcore.source.SourceProvider;
import dev.guestcore.testing.MigrationFiles;
import dev.guestcore.testing.Patterns;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What every format, source and store must keep, and goes through by being registered. A newcomer that lacks a sample, a page
 * or a row, or breaks a promise, fails here with the reason. A format that cannot write needs a sample in {@link #SAMPLES}; a
 * source needs a locator in {@link #LOCATORS}, or the class that tests it with another program in {@link #ELSEWHERE}.
 */
@Tag("slow")
class ContractTest {

    private static final Path REPOSITORY = Path.of("..");
    private static final int PAGE = 4096;

    /** Dumps of formats that cannot be written, made without a line of the code that reads them. */
    private static final Map<String, Supplier<byte[]>> SAMPLES =
            Map.of("vmstate", ContractTest::migrationStream, "xen-legacy", ContractTest::legacyDump);

    private static final String DESCRIPTION =
            "{\"regions\": [{\"kind\": \"ram\", \"address\": \"0x1000\", \"size\": \"64K\", \"contents\": [{\"text\": \"Guest\"}]},"
                    + " {\"kind\": \"ram\", \"address\": \"4G\", \"size\": \"64K\"}], \"vcpus\": [{\"registers\": {\"rip\": 1}}]}";

    /** What of each source to open; GUEST stands for a file with a described guest. */
    private static final Map<String, String> LOCATORS = Map.of("demo", "vcpus=1,ram=4M", "file", "GUEST");

    /** Sources that need another program, and where they are tested with it. */
    private static final Map<String, String> ELSEWHERE =
            Map.of("qemu", "guestcore-it/src/test/java/dev/guestcore/it/QemuCaptureTest.java");

    @TempDir
    private Path folder;

    static List<CoreFormat> formats() {
        return Guests.formats();
    }

    static List<SourceProvider> sources() {
        return Guests.providers();
    }

    static List<ByteStore> stores() {
        return Locations.stores();
    }

    private static byte[] migrationStream() {
        int size = 2 << 20;
        MigrationFiles file = new MigrationFiles("pc-i440fx-7.2").blocks("pc.ram", size);
        for (int i = 0; i < size / PAGE; i++) {
            if (i % 11 == 10) {
                file.fill("pc.ram", (long) i * PAGE, 0);
            } else {
                file.page("pc.ram", (long) i * PAGE, Patterns.bytes(PAGE, i));
            }
        }
        return file.endOfRam()
                .device("cpu", 0, 12, fields -> MigrationFiles.cpu(fields, 0))
                .device("0000:00:00.0/I440FX", 0, 3, fields -> fields.pciDevice(MigrationFiles.i440fx(3)))
                .device("mc146818rtc", 0, 3,
                        fields -> fields.bytes("cmos_data", "buffer", MigrationFiles.cmos(size, 0)))
                .finish();
    }

    private static byte[] legacyDump() {
        int context = 2800;
        ByteBuffer file = ByteBuffer.allocate(3 * PAGE).order(ByteOrder.LITTLE_ENDIAN);
        file.putInt(0xf00febed).putInt(1).putInt(2).putInt(24).putInt(24 + context).putInt(PAGE);
        file.put(Patterns.bytes(context, 1)).putInt(3).putInt(4);
        return file.put(PAGE, Patterns.bytes(2 * PAGE, 2)).array();
    }

    /**
     * Memory with a gap, a ROM, zeros, and an end that is no multiple of anything but a page.
     *
     * @param high where the last of it begins
     */
    private static Guest guest(long high) {
        byte[] sparse = new byte[0x21000];
        System.arraycopy(Patterns.bytes(0x3000, 9), 0, sparse, 0x10000, 0x3000);
        return Guest.builder()
                .ram(0, MemorySegment.ofArray(Patterns.bytes(0x20000, 1)))
                .rom(0xf0000, MemorySegment.ofArray(Patterns.bytes(0x10000, 2)))
                .ram(high, MemorySegment.ofArray(sparse))
                .vcpu(RegisterState.builder().set(X86.RIP, 0x1000).set(X86.RSP, 0x8000).build())
                .vcpu(RegisterState.builder().set(X86.RIP, 0x2000).set(X86.RSP, 0x9000).build())
                .build();
    }

    private Path sample(CoreFormat format) throws IOException {
        Path place = Files.createDirectory(folder.resolve("sample-" + format.name())).resolve("vm." + format.name());
        if (format.canWrite()) {
            try (Guest guest = guest(0x200000)) {
                format.writer(Map.of()).write(guest, place, Progress.none());
            }
            return place;
        }
        Supplier<byte[]> made = SAMPLES.get(format.name());
        assertNotNull(made,
                () -> "format " + format.name() + ": cannot write and has no sample in ContractTest.SAMPLES");
        return Files.write(place, made.get());
    }

    private FormatContract contract(CoreFormat format) throws IOException {
        return new FormatContract(format, sample(format), REPOSITORY);
    }

    @ParameterizedTest
    @MethodSource("formats")
    void aFormatOpensItsOwnSample(CoreFormat format) throws IOException {
        FormatContract contract = contract(format);
        contract.isNamed();
        contract.opensItsOwnSample();
        contract.probesAnything(Files.createDirectory(folder.resolve("any")));
        for (CoreFormat other : formats()) {
            if (!other.name().equals(format.name())) {
                contract.leavesToOthersWhatIsTheirs(sample(other));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("formats")
    void aFormatKeepsTheContractOfMemory(CoreFormat format) throws Exception {
        FormatContract contract = contract(format);
        contract.keepsTheContractOfMemory();
        contract.endsWhenItIsClosed();
    }

    @ParameterizedTest
    @MethodSource("formats")
    void aFormatMeetsDamageWithDomainErrors(CoreFormat format) throws IOException {
        contract(format).meetsDamageWithDomainErrors(Files.createDirectory(folder.resolve("damaged")));
    }

    @ParameterizedTest
    @MethodSource("formats")
    void aFormatComesBackFromItsWriter(CoreFormat format) throws IOException {
        try (Guest guest = guest(0x1_0000_0000L)) {
            contract(format).comesBackFromItsWriter(guest, folder.resolve("written"));
        }
    }

    @ParameterizedTest
    @MethodSource("formats")
    void aFormatIsDocumented(CoreFormat format) throws IOException {
        contract(format).isDocumented();
    }

    @Test
    void noTwoFormatsOrSourcesHaveOneName() {
        List<String> names = Stream.concat(
                Guests.schemes().stream().map(Scheme::name),
                stores().stream().flatMap(store -> store.schemes().stream()))
                .toList();
        assertEquals(names.size(), names.stream().distinct().count(), names::toString);
        List<String> formats = formats().stream().map(CoreFormat::name).toList();
        assertEquals(formats.size(), formats.stream().distinct().count(), formats::toString);
    }

    private static void assertDocumented(String word, String about) throws IOException {
        for (String page : List.of("README.md", "docs/sources.md")) {
            assertTrue(
                    Files.readAllLines(REPOSITORY.resolve(page)).stream()
                            .anyMatch(line -> line.startsWith("| `" + word)),
                    about + " has no row in " + page + " that begins with `" + word);
        }
    }

    @ParameterizedTest
    @MethodSource("sources")
    void aSourceIsNamedAndDocumented(SourceProvider source) throws IOException {
        String about = "source " + source.scheme();
        assertTrue(source.scheme().matches("[a-z][a-z0-9]*"), about);
        assertTrue(source.help().matches("(?s)" + source.scheme() + ":.*[^ ] {2}[^ ].*"),
                about + ": help begins with the scheme");
        for (String locator : List.of("no such thing", "/no/such/thing", "\u0000")) {
            FormatContract.assertDomainError(
                    () -> source.connect(locator).close(), about + ": a locator that is none, \"" + locator + "\",",
                    true);
        }
        assertDocumented(source.scheme() + ":", about);
    }

    @ParameterizedTest
    @MethodSource("sources")
    void aSourceOpensItsOwnSample(SourceProvider source) throws Exception {
        String about = "source " + source.scheme();
        String elsewhere = ELSEWHERE.get(source.scheme());
        if (elsewhere != null) {
            assertTrue(Files.exists(REPOSITORY.resolve(elsewhere)), about + ": " + elsewhere + " does not exist");
            return;
        }
        String locator = LOCATORS.get(source.scheme());
        assertNotNull(locator, about + ": has no locator in ContractTest.LOCATORS, and is not in ELSEWHERE");
        Path described = Files.writeString(folder.resolve("guest.json"), DESCRIPTION);
        GuestSource found = source.connect(locator.replace("GUEST", described.toString()));
        try (found) {
            assertEquals(1, found.description().lines().count(), about + ": is described in one line");
            assertFalse(found.regions().isEmpty(), about + ": has memory");
            found.prepare();
            for (int i = 0; i < (found.isLive() ? 2 : 1); i++) {
                Guest guest = found.freeze();
                try (guest) {
                    assertEquals(found.vcpuCount(), guest.vcpus().size(), about + ": as many vCPUs as it said");
                    assertEquals(found.isLive(), guest.freeze().isPresent(),
                            about + ": what is live is frozen, and nothing else");
                    new MemoryContract(guest.memory()).check();
                }
                guest.close();
            }
        }
        found.close();
    }

    @ParameterizedTest
    @MethodSource("stores")
    void aStoreIsNamedAndDocumented(ByteStore store) throws IOException {
        String scheme = store.schemes().getFirst();
        assertTrue(store.help().startsWith(scheme + "://"), "store " + scheme + ": help begins with the scheme");
        assertDocumented(scheme + "://", "store " + scheme);
        for (String name : store.schemes()) {
            FormatContract.assertDomainError(
                    () -> store.open(name + "://no-such-host.invalid/vm.core").close(),
                    "store " + name + ": no such object", true);
        }
    }

    /** A format as a newcomer may bring it, wrong in one way. */
    private record Newcomer(String name, boolean careless, boolean claimsAll, boolean leaks) implements OneFileFormat {

        private static final byte[] MAGIC = "NEWCOMER".getBytes(StandardCharsets.US_ASCII);

        @Override
        public String title() {
            return "A newcomer's format";
        }

        @Override
        public Probe probe(FileBytes file) {
            boolean begins = file.holds(0, MAGIC.length) && Arrays.equals(MAGIC, file.bytes(0, MAGIC.length, "magic"));
            return begins || claimsAll ? Probe.exact("begins with NEWCOMER") : Probe.no("does not begin with NEWCOMER");
        }

        @Override
        public Guest open(FileBytes file) {
            long size = file.size() - PAGE;
            if (size <= 0 && !careless) {
                throw new MalformedDumpException(file.name(), 0, "memory", "a page", "none", "it is cut short");
            }
            byte[] bytes = new byte[Math.toIntExact(size)];
            file.read(PAGE, MemorySegment.ofArray(bytes));
            return Guest.builder()
                    .ram(0, MemorySegment.ofArray(bytes))
                    .provenance(new Provenance(file.name(), name, "", Optional.empty(),
                            Optional.empty(), Optional.empty()))
                    .onClose(leaks ? () -> {} : file::close)
                    .build();
        }

        @Override
        public List<Check> rules(FileBytes file, boolean deep, Progress progress) {
            return List.of();
        }

        @Override
        public boolean canWrite() {
            return false;
        }

        @Override
        public List<WriteOption> writeOptions() {
            return List.of();
        }

        @Override
        public CoreWriter writer(Map<String, String> options) {
            throw new UnsupportedRequestException("cannot write");
        }
    }

    private FormatContract newcomer(boolean careless, boolean claimsAll, boolean leaks) throws IOException {
        byte[] content = Patterns.bytes(3 * PAGE, 1);
        System.arraycopy(Newcomer.MAGIC, 0, content, 0, Newcomer.MAGIC.length);
        Path place = Files.createDirectory(folder.resolve("newcomer")).resolve("vm.new");
        return new FormatContract(
                new Newcomer("newcomer", careless, claimsAll, leaks), Files.write(place, content), REPOSITORY);
    }

    private static void assertFails(String reason, Executable contract) {
        String message = String.valueOf(assertThrows(AssertionError.class, contract).getMessage());
        assertTrue(message.contains("format newcomer: ") && message.contains(reason), message);
    }

    @Test
    void aNewcomerWithoutAPageFailsWithTheReason() throws IOException {
        FormatContract contract = newcomer(false, false, false);
        assertFails("has no page in docs/formats", contract::isDocumented);
    }

    @Test
    void aNewcomerWithoutRulesFailsWithTheReason() throws IOException {
        FormatContract contract = newcomer(false, false, false);
        assertFails("has rules of its own", contract::opensItsOwnSample);
    }

    @Test
    void aNewcomerThatMeetsDamageCarelesslyFailsWithTheReason() throws IOException {
        FormatContract contract = newcomer(true, false, false);
        Path damaged = Files.createDirectory(folder.resolve("damaged"));
        assertFails("which is no error of Guestcore", () -> contract.meetsDamageWithDomainErrors(damaged));
    }

    @Test
    void aNewcomerThatClaimsAllFailsWithTheReason() throws IOException {
        FormatContract contract = newcomer(false, true, false);
        Path other = Files.write(folder.resolve("other"), new byte[PAGE]);
        assertFails("claims ", () -> contract.leavesToOthersWhatIsTheirs(other));
        assertFails("claims what is none", () -> contract.probesAnything(Files.createDirectory(folder.resolve("any"))));
    }

    @Test
    void aNewcomerThatReadsWhenItIsClosedFailsWithTheReason() throws IOException {
        FormatContract contract = newcomer(false, false, true);
        assertFails("a guest that is closed is read", contract::endsWhenItIsClosed);
    }
}
