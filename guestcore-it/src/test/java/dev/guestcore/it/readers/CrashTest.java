package dev.guestcore.it.readers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.it.Tools;
import dev.guestcore.it.readers.WrittenCore.Kind;
import dev.guestcore.kernel.DebuggerAdvice;
import dev.guestcore.kernel.KernelFacts;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * crash, as far as it goes without a kernel that has debug information: it looks whether it knows the format and reads
 * the headers. A file that it knows makes it ask for the kernel; any other is "not a supported file format". A raw image
 * has no headers, so there it needs the kernel.
 */
@Opens({"vbox", "xen", "elf", "kdump", "raw"})
class CrashTest {

    private static final String KNOWN = "crash: namelist argument required";
    private static final String UNKNOWN = "not a supported file format";

    @TempDir
    private Path folder;

    static Stream<WrittenCore> dumpCores() {
        return WrittenCore.of(Kind.HVM_DUMP, Kind.PV64_DUMP);
    }

    static Stream<WrittenCore> pv32Dumps() {
        return WrittenCore.of(Kind.PV32_DUMP);
    }

    static Stream<WrittenCore> vmCores() {
        return WrittenCore.oneOfEachGuest(Kind.VMCORE).filter(core -> core.origin() != WrittenCore.Origin.LINUX);
    }

    static Stream<WrittenCore> elfCores() {
        return WrittenCore.of(Kind.ELF);
    }

    static Stream<WrittenCore> kdumps() {
        return WrittenCore.of(Kind.KDUMP, Kind.FLATTENED_KDUMP);
    }

    static Stream<WrittenCore> elfCoresAndKdumpsOfLinux() {
        return Stream.concat(elfCores(), kdumps()).filter(core -> core.origin() == WrittenCore.Origin.LINUX);
    }

    private static String crash(Object... arguments) {
        return Program.run("crash", arguments).all();
    }

    @Test
    void somethingElseIsNotRecognised() throws IOException {
        Path text = Files.writeString(folder.resolve("text"), "no core at all\n".repeat(10_000));
        String output = crash("-s", text);
        assertTrue(output.contains(UNKNOWN) && !output.contains(KNOWN), output);
    }

    @ParameterizedTest
    @MethodSource("dumpCores")
    void dumpCoresAreRecognisedAndTheirHeaderRead(WrittenCore core) {
        String output = crash("-d", "1", core.file());
        assertTrue(output.contains(KNOWN) && !output.contains(UNKNOWN), output);
        assertTrue(!output.contains("WARNING"), output);
        boolean machineFrames = core.kind() == Kind.PV64_DUMP;
        assertTrue(output.contains("XENDUMP_LOCAL|XC_CORE_ELF|"), output);
        assertEquals(!machineFrames, output.contains("|XC_CORE_NO_P2M"), output);
        assertEquals(
                machineFrames ? "f00febed (XC_CORE_MAGIC)" : "f00febee (XC_CORE_MAGIC_HVM)",
                field(output, "xch_magic"));
        assertEquals(Integer.toString(core.truth().registers().size()), field(output, "xch_nr_vcpus"));
        long pages = pages(core);
        assertEquals(pages + " (0x" + Long.toHexString(pages) + ")", field(output, "xch_nr_pages"));
        assertEquals("ELFCLASS64", field(output, "elf_class"));
        assertEquals("0000000000000001", field(output, "format_version"));
    }

    /** Xen counts entries that name no frame too, and a dump-core that is rewritten keeps them. */
    private static long pages(WrittenCore core) {
        if (core.kind() == Kind.HVM_DUMP && core.name().equals("as-source")) {
            String sample = core.origin() == WrittenCore.Origin.XEN_PVH ? "xen/pvh-mini" : "xen/pvh-mini-si";
            Matcher matcher = Pattern.compile("nr_pages=(\\d+) ").matcher(Samples.text(sample, "layout.txt"));
            assertTrue(matcher.find());
            return Long.parseLong(matcher.group(1));
        }
        return core.truth().pages();
    }

    private static String field(String output, String name) {
        Matcher matcher = Pattern.compile("(?m)^ *" + name + ": (.*?) *$").matcher(output);
        assertTrue(matcher.find(), () -> name + " is not in " + output);
        return matcher.group(1);
    }

    @Test
    void aDumpCoreOfLinuxNamesNoRelease() {
        // crash takes the release from a VMCOREINFO note, for which a dump-core has no place.
        Program program = Program.run("crash", "--osrelease", WrittenCore.of(WrittenCore.Origin.LINUX, "hvm").file());
        assertEquals("unknown\n", program.output());
    }

    @ParameterizedTest
    @MethodSource("pv32Dumps")
    void dumpCoresOf32BitGuestsAreForACrashOf32Bits(WrittenCore core) {
        String output = crash("-s", core.file());
        assertTrue(output.contains("WARNING: machine type mismatch"), output);
        assertTrue(output.contains(UNKNOWN), output);
        assertTrue(core.check("xen-05").readers().contains("crash for x86-64 refuses it"));
    }

    @ParameterizedTest
    @MethodSource("vmCores")
    void vmCoresAreRefusedForTheirVersionAlone(WrittenCore core) {
        String output = crash("-s", core.file());
        assertTrue(output.contains(UNKNOWN) && !output.contains(KNOWN), output);
        assertTrue(core.check("vbox-02").readers().contains("crash"));

        String accepted = crash("-d", "1", core.copyWithStandardVersion(folder));
        assertTrue(accepted.contains(KNOWN) && accepted.contains("KDUMP_LOCAL|KDUMP_ELF64"), accepted);
        assertEquals(Integer.toString(core.truth().regions().size()), field(accepted, "num_pt_load_segments"));
    }

    @Test
    void aVmCoreOfLinuxNamesItsReleaseByAnalystNotes() {
        WrittenCore core = WrittenCore.of(WrittenCore.Origin.LINUX, "vmcore-analyst");
        assertEquals(
                LinuxRelease.ofTestKernel() + "\n",
                Program.run("crash", "--osrelease", core.file()).content().output());
    }

    @ParameterizedTest
    @MethodSource("elfCores")
    void elfCoresAreRecognisedAndTheirHeaderRead(WrittenCore core) {
        String output = crash("-d", "1", core.file());
        assertTrue(output.contains(KNOWN) && !output.contains(UNKNOWN), output);
        assertTrue(output.contains("KDUMP_LOCAL|KDUMP_ELF64"), output);
        assertTrue(!output.contains("WARNING"), output);
    }

    @ParameterizedTest
    @MethodSource("kdumps")
    void kdumpsAreRecognisedAndTheirHeaderRead(WrittenCore core) {
        String output = crash("-d", "1", core.file());
        assertTrue(output.contains(KNOWN) && !output.contains(UNKNOWN), output);
        assertTrue(output.contains("KDUMP_CMPRS_LOCAL"), output);
        assertTrue(!output.contains("WARNING"), output);
        assertEquals(Integer.toString(core.truth().registers().size()), field(output, "nr_cpus"));
    }

    @ParameterizedTest
    @MethodSource("elfCoresAndKdumpsOfLinux")
    void elfCoresAndKdumpsOfLinuxNameTheirRelease(WrittenCore core) {
        assertEquals(
                LinuxRelease.ofTestKernel() + "\n",
                Program.run("crash", "--osrelease", core.file()).content().output());
    }

    /** A raw image has no registers, so what crash makes of these at the start is not compared. Follows {@code info}. */
    @Test
    void aRawImageOfLinuxShowsWhatAnElfCoreShows() throws IOException {
        String vmlinux = Tools.requireKernelWithDebugInformation().toString();
        Path elf = WrittenCore.of(WrittenCore.Origin.LINUX, "elf").file();
        List<String> expected = afterStart("crash", vmlinux, elf);
        assertTrue(
                expected.stream().anyMatch(line -> line.contains("Linux version " + LinuxRelease.ofTestKernel())),
                expected::toString);

        String raw = WrittenCore.of(WrittenCore.Origin.LINUX, "raw").file().toString();
        try (Guest guest = Guests.open(raw)) {
            KernelFacts facts = KernelFacts.search(guest, Progress.none());
            DebuggerAdvice advice = DebuggerAdvice.of(guest, raw, facts, Guests.debuggers(guest))
                    .getFirst();
            assertTrue(advice.command().endsWith(" vmlinux " + raw + "@0x0"), advice.command());
            assertEquals(expected, afterStart((Object[]) advice.command().replace("vmlinux", vmlinux).split(" ")));
        }
    }

    private List<String> afterStart(Object... command) throws IOException {
        Path input = Files.write(
                folder.resolve("questions"), List.of("mount", "log", "rd -p 1000000 512", "quit"));
        Object[] arguments = Stream.concat(Stream.of("-s"), Stream.of(command).skip(1)).toArray();
        return Program.runWithInput(input, "crash", arguments)
                .output()
                .lines()
                .dropWhile(line -> !line.contains("SUPERBLK"))
                .toList();
    }
}
