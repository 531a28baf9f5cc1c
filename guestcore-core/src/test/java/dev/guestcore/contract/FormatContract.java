package dev.guestcore.contract;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.file.FileSet;
import dev.guestcore.format.Check;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.Probe;
import dev.guestcore.format.WriteOption;
import dev.guestcore.testing.Patterns;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.function.Executable;

/** What is asked of every file format, by its being registered. */
final class FormatContract {

    private static final int CUTS = 12;
    private static final int FLIPS = 48;
    private static final int MOST_REGIONS = 32;
    private static final int MOST_RUNS = 64;

    private final CoreFormat format;
    private final Path sample;
    private final Path repository;

    /**
     * Of one format.
     *
     * @param sample a dump of that format, alone with its companions in a folder
     * @param repository where README.md is
     */
    FormatContract(CoreFormat format, Path sample, Path repository) {
        this.format = format;
        this.sample = sample;
        this.repository = repository;
    }

    private String about(String what) {
        return "format " + format.name() + ": " + what;
    }

    private static FileSet files(Path path) {
        return FileSet.of(FileBytes.open(path));
    }

    private Guest open(Path path) {
        FileSet files = files(path);
        try {
            return format.open(files);
        } catch (RuntimeException | Error e) {
            files.close();
            throw e;
        }
    }

    void isNamed() {
        assertTrue(format.name().matches("[a-z][a-z0-9-]*"), about("the name is short and in lower case"));
        assertFalse(format.title().isBlank(), about("has a title for people"));
        format.namedParts().ifPresent(named -> {
            assertTrue(named.help().matches("(?s)" + named.scheme() + ":.*[^ ] {2}[^ ].*"),
                    about("help begins with the scheme"));
            assertDomainError(
                    () -> FileSet.open(named.parts(""), Progress.none()).close(), about("no parts behind the scheme"),
                    true);
        });
    }

    void opensItsOwnSample() {
        try (FileSet files = files(sample)) {
            Probe probe = format.probe(files);
            assertTrue(probe.claims(), about("claims its own sample: " + probe));
            assertFalse(probe.reason().isBlank(), about("says why"));
            List<Check> checks = format.verify(files, true, Progress.none());
            assertEquals(format.name() + "-00", checks.getFirst().id(), about("the check of opening comes first"));
            assertEquals(
                    List.of(),
                    checks.stream().filter(check -> check.result() == Check.Result.FAIL).toList(),
                    about("its own sample breaks no rule"));
            assertTrue(checks.size() > 1, about("has rules of its own"));
            assertEquals(checks.size(), checks.stream().map(Check::id).distinct().count(),
                    about("no rule has two numbers"));
        }
        try (Guest guest = open(sample)) {
            assertEquals(format.name(), guest.provenance().format(), about("the guest says of which format it is"));
            assertTrue(guest.provenance().source().endsWith(sample.getFileName().toString()),
                    about("the guest says from which file it is"));
        }
    }

    /** Another format's sample may be claimed in general, but not as this format and no other. */
    void leavesToOthersWhatIsTheirs(Path other) {
        try (FileSet files = files(other)) {
            assertNotEquals(Probe.Match.EXACT, format.probe(files).match(), about("claims " + other));
        }
    }

    void probesAnything(Path folder) throws IOException {
        for (byte[] content : List.of(new byte[0], new byte[1], Patterns.bytes(5000, 3))) {
            try (FileSet files = files(Files.write(folder.resolve("any"), content))) {
                assertFalse(format.probe(files).claims(), about("claims what is none"));
            }
        }
        try (FileSet files = FileSet.inFolder(folder)) {
            assertFalse(format.probe(files).claims(), about("claims a folder that is none"));
        }
    }

    void keepsTheContractOfMemory() throws Exception {
        try (Guest guest = open(sample)) {
            new MemoryContract(guest.memory()).check();
            assertEquals(guest.vcpus().size(), guest.vcpus().stream().distinct().count(),
                    about("no vCPU is there twice"));
        }
    }

    void endsWhenItIsClosed() {
        Guest guest = open(sample);
        GuestMemory memory = guest.memory();
        long first = memory.regions().getFirst().range().first();
        guest.close();
        guest.close();
        assertThrows(
                IllegalStateException.class,
                () -> memory.readAvailable(first, MemorySegment.ofArray(new byte[1 << 15])),
                about("a guest that is closed is read"));
    }

    /** Cuts and damages every file of the sample, and tries what anybody would try. */
    void meetsDamageWithDomainErrors(Path folder) throws IOException {
        for (Path file : companions()) {
            byte[] content = Files.readAllBytes(file);
            Random random = new Random(content.length);
            for (int i = 0; i < CUTS + FLIPS; i++) {
                byte[] damaged = i < CUTS ? cut(content, i, random) : flipped(content, random);
                Path target = copied(folder);
                Files.write(target.resolveSibling(file.getFileName()), damaged);
                String what = about("damage " + i + " of " + file.getFileName());
                assertDomainError(() -> tryAll(target), what, false);
            }
        }
    }

    private List<Path> companions() throws IOException {
        try (Stream<Path> files = Files.list(sample.getParent())) {
            return files.sorted().toList();
        }
    }

    private Path copied(Path folder) throws IOException {
        for (Path file : companions()) {
            Files.write(folder.resolve(file.getFileName()), Files.readAllBytes(file));
        }
        return folder.resolve(sample.getFileName());
    }

    private static byte[] cut(byte[] content, int index, Random random) {
        return Arrays.copyOf(content,
                index == 0 ? 0 : random.nextInt(index % 2 == 0 ? content.length : Math.min(8192, content.length)));
    }

    /** Half of the damage is where headers are, and in bytes that make numbers large. */
    private static byte[] flipped(byte[] content, Random random) {
        byte[] damaged = content.clone();
        for (int i = 0; i <= random.nextInt(3); i++) {
            int at = random.nextInt(random.nextBoolean() ? content.length : Math.min(4096, content.length));
            damaged[at] = (byte) (random.nextBoolean() ? 0xff : random.nextInt(256));
        }
        return damaged;
    }

    private void tryAll(Path path) {
        try (FileSet files = files(path)) {
            if (!format.probe(files).claims()) {
                return;
            }
            format.verify(files, true, Progress.none());
        }
        try (Guest guest = open(path)) {
            guest.vcpus().forEach(vcpu -> vcpu.registers().known());
            byte[] bytes = new byte[64];
            for (MemoryRegion region : guest.memory().regions().stream().limit(MOST_REGIONS).toList()) {
                long address = region.range().first();
                for (int i = 0; i < MOST_RUNS; i++) {
                    PageRun run = guest.memory().runAt(address);
                    guest.memory().readAvailable(address, MemorySegment.ofArray(bytes));
                    if (run.range().last() == -1) {
                        break;
                    }
                    address = run.range().last() + 1;
                }
            }
        }
    }

    /** Whatever is thrown is an error of ours in one line; if {@code needed}, something is. */
    static void assertDomainError(Executable work, String about, boolean needed) {
        try {
            work.execute();
        } catch (GuestcoreException e) {
            String message = String.valueOf(e.getMessage());
            assertEquals(1, message.lines().count(), about + " ends in several lines: " + message);
            return;
        } catch (Throwable e) {
            throw new AssertionError(about + " ends in " + e + ", which is no error of Guestcore", e);
        }
        if (needed) {
            fail(about + " is no error; throw one of dev.guestcore.error, in one line that says what to do");
        }
    }

    void comesBackFromItsWriter(Guest guest, Path target) {
        if (!format.canWrite()) {
            assertEquals(List.of(), format.writeOptions(), about("cannot write and has options for it"));
            assertThrows(UnsupportedRequestException.class, () -> format.writer(Map.of()),
                    about("cannot write and has a writer"));
            return;
        }
        assertThrows(
                UnsupportedRequestException.class,
                () -> format.writer(Map.of("no-such-option", "true")),
                about("takes an option that it does not have"));
        for (WriteOption option : format.writeOptions()) {
            assertFalse(option.help().isBlank(), about("option " + option.name() + " is not explained"));
        }
        CoreWriter writer = format.writer(Map.of());
        long planned = writer.plan(guest).size();
        writer.write(guest, target, Progress.none());
        assertTrue(target.toFile().length() <= planned, about("writes more than it planned"));
        try (Guest back = open(target)) {
            assertEquals(Patterns.contents(guest.memory()), Patterns.contents(back.memory()),
                    about("memory comes back"));
        }
    }

    void isDocumented() throws IOException {
        String name = "`" + format.name() + "`";
        boolean page = false;
        try (Stream<Path> pages = Files.list(repository.resolve("docs/formats"))) {
            for (Path candidate : pages.toList()) {
                String file = candidate.getFileName().toString();
                page |= file.equals(format.name() + ".md") || file.startsWith(format.name() + "-")
                        || Files.readString(candidate).lines().limit(5).anyMatch(line -> line.contains(name));
            }
        }
        assertTrue(page,
                about("has no page in docs/formats, named " + format.name() + ".md or naming " + name + " at its top"));
        assertTrue(
                Files.readAllLines(repository.resolve("README.md")).stream()
                        .anyMatch(line -> line.startsWith("|") && line.contains("| " + name + " |")),
                about("has no row in the table of README.md"));
    }
}
