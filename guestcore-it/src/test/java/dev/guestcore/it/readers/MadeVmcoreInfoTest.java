package dev.guestcore.it.readers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.format.WriteReport;
import dev.guestcore.it.faults.CommandLine;
import dev.guestcore.it.linux.KnownLinux;
import dev.guestcore.open.Guests;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Bare memory of a kernel that keeps no VMCOREINFO becomes a dump that debuggers open. */
@Tag("slow")
@Tag("foreign")
class MadeVmcoreInfoTest {

    private static final int PAGE = 4096;

    /** Name of the note, behind three numbers at the start of a page; and the beginning of the text, which has a page of its own. */
    private static final byte[] NOTE = "VMCOREINFO\0".getBytes(StandardCharsets.US_ASCII);

    private static final byte[] TEXT = "OSRELEASE=".getBytes(StandardCharsets.US_ASCII);

    @TempDir
    private static Path folder;

    private static Path raw;
    private static Path lime;
    private static Path vmlinux;

    @BeforeAll
    static void make() throws Exception {
        raw = folder.resolve("raw");
        lime = folder.resolve("lime");
        vmlinux = folder.resolve("vmlinux");
        write(KnownLinux.STOCK.kdump(), "raw", Map.of(), raw);
        assertEquals(2, eraseVmcoreInfo());
        write(raw, "lime", Map.of(), lime);
        run("symbols", lime, "--to", "vmlinux", "-o", vmlinux);
    }

    private static CommandLine.Ended run(Object... arguments) throws Exception {
        return CommandLine.run(folder, Stream.of(arguments).map(Object::toString).toArray(String[]::new)).expect(0);
    }

    private static int eraseVmcoreInfo() throws Exception {
        int erased = 0;
        byte[] page = new byte[PAGE];
        try (FileChannel file = FileChannel.open(raw, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            for (long at = 0; at < file.size(); at += PAGE) {
                file.read(ByteBuffer.wrap(page), at);
                if (begins(page, 3 * Integer.BYTES, NOTE) || begins(page, 0, TEXT)) {
                    file.write(ByteBuffer.allocate(PAGE), at);
                    erased++;
                }
            }
        }
        return erased;
    }

    private static boolean begins(byte[] page, int at, byte[] expected) {
        return ByteBuffer.wrap(page, at, expected.length).equals(ByteBuffer.wrap(expected));
    }

    private static String noteOf(Path core) {
        try (Guest guest = Guests.open(core.toString())) {
            return guest.facts(VmcoreInfoFacts.class).map(VmcoreInfoFacts::text).orElse("");
        }
    }

    @Test
    void crashOpensAKdumpThatWasBareMemory() throws Exception {
        Path kdump = folder.resolve("kdump");
        String told = run("convert", raw, "--to", "kdump", "-o", kdump, "--manifest").out();
        assertTrue(told.contains("Guestcore made one"), told);
        assertTrue(Files.readString(folder.resolve("kdump.manifest.json")).contains("Guestcore made one"));
        String info = run("info", kdump).out().replaceAll("\\s+", " ");
        assertTrue(info.contains("note of the dump, which Guestcore made"), info);
        Path commands = Files.writeString(folder.resolve("commands"), "p init_task.comm\nsys\nquit\n");
        Program crash = Program.runWithInput(commands, "crash", "-s", vmlinux, kdump);
        assertTrue(crash.output().contains("= \"swapper/0\\000"), crash::all);
        assertTrue(crash.output().contains("RELEASE: 6.1."), crash::all);
    }

    @Test
    void drgnAndMakedumpfileOpenAnElfCoreThatWasLime() throws Exception {
        Path elf = folder.resolve("elf");
        write(lime, "elf", Map.of(), elf);
        assertTrue(noteOf(elf).contains(VmcoreInfoFacts.MADE));
        Program drgn = Program.python("stacks.py", "drgn", "python3-drgn", "", elf, vmlinux);
        assertEquals("", drgn.errors());
        assertTrue(drgn.output().lines().count() > 50, drgn::all);
        Program makedumpfile = Program.run("makedumpfile", "-d", "31", elf, folder.resolve("filtered"));
        assertEquals(0, makedumpfile.status(), makedumpfile::all);
        assertTrue(makedumpfile.all().contains("makedumpfile Completed."), makedumpfile::all);
    }

    @Test
    void aPipeGetsTheSame() throws Exception {
        Path piped = folder.resolve("piped");
        try (Guest guest = Guests.open(lime.toString());
                WritableByteChannel pipe = Channels.newChannel(Files.newOutputStream(piped))) {
            Guests.format("kdump").writer(Map.of()).write(guest, pipe, Progress.none());
        }
        assertTrue(noteOf(piped).contains(VmcoreInfoFacts.MADE));
    }

    @Test
    void anOptionLeavesItOut() {
        for (String format : new String[] {"elf", "kdump"}) {
            Path without = folder.resolve("without-" + format);
            WriteReport report = write(lime, format, Map.of("no-made-vmcoreinfo", "true"), without);
            assertEquals(List.of(), report.notes());
            assertEquals("", noteOf(without));
        }
    }

    private static WriteReport write(Path source, String format, Map<String, String> options, Path target) {
        try (Guest guest = Guests.open(source.toString())) {
            return Guests.format(format).writer(options).write(guest, target, Progress.none());
        }
    }
}
