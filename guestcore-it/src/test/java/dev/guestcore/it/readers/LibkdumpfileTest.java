package dev.guestcore.it.readers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.format.Check;
import dev.guestcore.it.readers.WrittenCore.Kind;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** libkdumpfile, through its Python binding. */
@Opens({"vbox", "xen", "elf", "kdump"})
class LibkdumpfileTest {

    private static final List<String> GENERAL = List.of(
            "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
            "r15", "rip", "rflags", "cs", "ss", "ds", "es", "fs", "gs");

    static Stream<WrittenCore> vmCores() {
        return WrittenCore.of(Kind.VMCORE);
    }

    static Stream<WrittenCore> vmCoresOfUnknownSystems() {
        return WrittenCore.oneOfEachGuest(Kind.VMCORE).filter(core -> core.origin() != WrittenCore.Origin.LINUX);
    }

    static Stream<WrittenCore> dumpCores() {
        return WrittenCore.of(Kind.HVM_DUMP, Kind.PV64_DUMP);
    }

    static Stream<WrittenCore> pv64Dumps() {
        return WrittenCore.of(Kind.PV64_DUMP);
    }

    static Stream<WrittenCore> pv32Dumps() {
        return WrittenCore.of(Kind.PV32_DUMP);
    }

    static Stream<WrittenCore> elfCores() {
        return WrittenCore.of(Kind.ELF);
    }

    static Stream<WrittenCore> kdumps() {
        return WrittenCore.of(Kind.KDUMP);
    }

    static Stream<WrittenCore> flattenedKdumps() {
        return WrittenCore.of(Kind.FLATTENED_KDUMP);
    }

    static Stream<WrittenCore> elfCoresAndKdumpsOfLinux() {
        return Stream.concat(elfCores(), kdumps()).filter(core -> core.origin() == WrittenCore.Origin.LINUX);
    }

    /**
     * Asks for the digests of pieces of memory.
     *
     * @param space "physical" as the guest's kernel sees it, or "machine"
     * @param system "linux" where libkdumpfile is told so, or nothing
     */
    private static Program digests(WrittenCore core, List<MemoryDigest> pieces, String space, String... system) {
        List<Object> arguments = new ArrayList<>(List.of(core.file(), space));
        arguments.addAll(List.of(system));
        return Program.python(
                "kdumpfile_digests.py",
                "kdumpfile",
                "python3-libkdumpfile",
                MemoryDigest.question(pieces),
                arguments.toArray());
    }

    private static Map<String, String> facts(WrittenCore core) {
        Map<String, String> facts = new HashMap<>();
        Program.python("kdumpfile_facts.py", "kdumpfile", "python3-libkdumpfile", "", core.file())
                .content()
                .output()
                .lines()
                .map(line -> line.split(" ", 2))
                .forEach(fact -> facts.put(fact[0], fact[1]));
        return facts;
    }

    private static void checkRegisters(WrittenCore core, Map<String, String> facts, List<String> names) {
        List<RegisterState> vcpus = core.truth().registers();
        assertEquals("0x" + Integer.toHexString(vcpus.size()), facts.get("cpu.number"));
        for (int i = 0; i < vcpus.size(); i++) {
            for (String name : names) {
                X86 register = X86.ofLabel(name).orElseThrow();
                if (vcpus.get(i).knows(register)) {
                    assertEquals(
                            vcpus.get(i).hex(register), facts.get("cpu." + i + ".reg." + name), name + " of vCPU " + i);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("vmCores")
    void everyPageOfAVmCoreIsTheGuests(WrittenCore core) {
        List<MemoryDigest> memory = core.truth().memory();
        assertEquals(
                MemoryDigest.answer(memory), digests(core, memory, "machine").content().output());
    }

    /** A VMCore has no control registers where it looks for them, and without them it cannot tell how to translate. */
    @ParameterizedTest
    @MethodSource("vmCoresOfUnknownSystems")
    void addressesOfTheKernelNeedToBeTranslatedAndCannotBe(WrittenCore core) {
        Program refusal = digests(core, core.truth().memory(), "physical");
        assertTrue(refusal.errors().contains("Cannot determine 5-level paging"), refusal::errors);
    }

    @Test
    void addressesOfALinuxKernelAreTranslatedByItsVmcoreinfo() {
        WrittenCore core = WrittenCore.of(WrittenCore.Origin.LINUX, "vmcore-analyst");
        List<MemoryDigest> memory = core.truth().memory();
        assertEquals(
                MemoryDigest.answer(memory),
                digests(core, memory, "physical", "linux").content().output());
        assertEquals(
                LinuxRelease.ofTestKernel() + "\n",
                Program.python("kdumpfile_release.py", "kdumpfile", "python3-libkdumpfile", "", core.file())
                        .content()
                        .output());
    }

    @ParameterizedTest
    @MethodSource("vmCores")
    void registersOfAVmCoreAreInTheAnalystNotes(WrittenCore core) {
        Map<String, String> facts = facts(core);
        assertEquals("elf", facts.get("file.format"));
        assertEquals("x86_64", facts.get("arch.name"));
        if (core.analystNotes()) {
            checkRegisters(core, facts, GENERAL);
        } else {
            assertFalse(facts.containsKey("cpu.number"), facts::toString);
        }
    }

    @Test
    void vmcoreinfoOfALinuxGuestIsInTheAnalystNotes() {
        Map<String, String> facts = facts(WrittenCore.of(WrittenCore.Origin.LINUX, "vmcore-analyst"));
        assertEquals(LinuxRelease.ofTestKernel(), facts.get("linux.vmcoreinfo.lines.OSRELEASE"));
        assertTrue(facts.get("linux.vmcoreinfo.lines.KERNELOFFSET").matches("[0-9a-f]+"), facts::toString);
    }

    @ParameterizedTest
    @MethodSource("dumpCores")
    void everyPageOfADumpCoreIsTheGuests(WrittenCore core) {
        List<MemoryDigest> memory = core.truth().memory();
        assertEquals(
                MemoryDigest.answer(memory),
                digests(core, memory, "physical").content().output());
    }

    @ParameterizedTest
    @MethodSource("pv64Dumps")
    void everyPageOfAPvDumpCoreHasItsMachineAddress(WrittenCore core) {
        List<MemoryDigest> memory = core.truth().machineMemory();
        assertFalse(memory.isEmpty());
        assertEquals(
                MemoryDigest.answer(memory), digests(core, memory, "machine").content().output());
    }

    @ParameterizedTest
    @MethodSource("dumpCores")
    void registersOfADumpCoreAreThoseOfTheGuest(WrittenCore core) {
        Map<String, String> facts = facts(core);
        assertEquals("xc_core_elf", facts.get("file.format"));
        assertEquals("x86_64", facts.get("arch.name"));
        checkRegisters(core, facts, Stream.concat(GENERAL.stream(), Stream.of("cr0", "cr3", "cr4")).toList());
        assertTrue(facts.containsKey("xen.version.major"), facts::toString);
    }

    /** It would end libkdumpfile 0.5 with a segmentation fault, which tells nothing about the file. */
    @ParameterizedTest
    @MethodSource("pv32Dumps")
    void verifyWarnsOfTheDumpsThatCrashIt(WrittenCore core) {
        Check check = core.check("xen-05");
        assertEquals(Check.Result.NOTE, check.result());
        assertTrue(
                check.readers().startsWith("libkdumpfile 0.5 crashes on e_machine 3 with .xen_prstatus"),
                check::readers);
    }

    @ParameterizedTest
    @MethodSource("elfCores")
    void everyPageAndRegisterOfAnElfCoreIsTheGuests(WrittenCore core) {
        List<MemoryDigest> memory = core.memory();
        assertEquals(
                MemoryDigest.answer(memory), digests(core, memory, "machine").content().output());
        Map<String, String> facts = facts(core);
        assertEquals("elf", facts.get("file.format"));
        checkRegisters(core, facts, GENERAL);
    }

    @ParameterizedTest
    @MethodSource("kdumps")
    void everyPageOfAKdumpIsTheGuests(WrittenCore core) {
        List<MemoryDigest> memory = core.memory();
        assertEquals(
                MemoryDigest.answer(memory), digests(core, memory, "machine").content().output());
        Map<String, String> facts = facts(core);
        assertEquals("diskdump", facts.get("file.format"));
        if (core.origin() == WrittenCore.Origin.LINUX) {
            checkRegisters(core, facts, GENERAL);
        } else {
            // It looks at the notes of a kdump only if the header names a system.
            assertFalse(facts.containsKey("cpu.number"), facts::toString);
        }
    }

    @ParameterizedTest
    @MethodSource("flattenedKdumps")
    void flattenedKdumpsHaveToBeAssembled(WrittenCore core) {
        Program refusal = digests(core, core.memory(), "machine");
        assertTrue(refusal.errors().contains("Unknown file format"), refusal::errors);
    }

    @ParameterizedTest
    @MethodSource("elfCoresAndKdumpsOfLinux")
    void linuxIsKnownByItsVmcoreinfoAndReadByVirtualAddress(WrittenCore core) {
        assertEquals(LinuxRelease.ofTestKernel(), facts(core).get("linux.vmcoreinfo.lines.OSRELEASE"));
        assertEquals(
                LinuxRelease.ofTestKernel() + "\n",
                Program.python("kdumpfile_release.py", "kdumpfile", "python3-libkdumpfile", "", core.file())
                        .content()
                        .output());
    }
}
