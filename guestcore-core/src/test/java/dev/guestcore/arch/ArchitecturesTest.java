package dev.guestcore.arch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.arch.x86.X86Architecture;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.ElfMachine;
import dev.guestcore.cpu.Register;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ArchitecturesTest {

    @ParameterizedTest
    @CsvSource({
        "62, 64, x86", "62, 32, x86", "3, 32, x86", "3, 64, x86", "183, 64, arm64", "40, 32, arm32", "243, 64, riscv64",
        "243, 32, riscv32", "22, 64, s390x", "22, 32, s390", "21, 64, powerpc64", "20, 32, powerpc", "50, 64, ia64",
        "258, 64, loongarch64", "8, 64, mips64", "8, 32, mips", "0, 64, unknown", "1000, 64, unknown",
        // ILP32: the class of the file does not make another processor of it.
        "183, 32, arm64"
    })
    void anElfMachineStandsForOneArchitecture(int machine, int addressBits, String name) {
        assertEquals(name, Architectures.ofElf(machine, addressBits).name());
    }

    @ParameterizedTest
    @CsvSource({
        "x86_64, x86-64", "i686, 386", "aarch64, aarch64", "aarch64_be, aarch64", "arm64, aarch64", "armv7l, arm",
        "riscv64, riscv", "s390x, s390x", "ppc64le, ppc64", "ppc, ppc", "loongarch64, loongarch"
    })
    void namesOfLinuxAreKnown(String name, String label) {
        assertEquals(label, Architectures.machineOfLinuxName(name).map(ElfMachine::label).orElse("none"));
        assertEquals(Optional.empty(), Architectures.machineOfLinuxName(" " + name));
    }

    @Test
    void namesLabelsAndCodesAreUnique() {
        List<Architecture> all = Architectures.all();
        assertEquals(all.size(), new HashSet<>(Architectures.names()).size());
        List<ElfMachine> machines = Architectures.machines();
        assertEquals(machines.size(), machines.stream().map(ElfMachine::code).distinct().count());
        assertEquals(machines.size(), machines.stream().map(ElfMachine::label).distinct().count());
        for (Architecture family : all) {
            assertSame(family, Architectures.named(family.name()).orElseThrow());
        }
        for (ElfMachine machine : machines) {
            assertSame(machine, Architectures.machine(machine.code()).orElseThrow());
            assertSame(machine, Architectures.machineOfLabel(machine.label()).orElseThrow());
        }
        assertEquals(Optional.empty(), Architectures.named("vax"));
    }

    /** What whoever adds an architecture has to give. */
    @Test
    void everyArchitectureIsConsistent() {
        for (Architecture family : Architectures.all()) {
            assertTrue(
                    family.name().matches("[a-z][a-z0-9]*"),
                    () -> family.name() + ": a name is letters and digits, in lower case");
            assertEquals(1, Integer.bitCount(family.pageSize()),
                    () -> family.name() + ": a page size is a power of two");
            assertTrue(
                    family.pageSize() >= Architecture.SMALLEST_PAGE,
                    () -> family.name() + ": the page size is below the smallest");
            assertEquals(
                    family == Architecture.UNKNOWN,
                    family.machines().isEmpty(),
                    () -> family.name() + ": all but the unknown one have an ELF machine");
            Set<String> labels = new HashSet<>();
            for (Register register : family.registers()) {
                assertSame(family, register.architecture(), () -> register.label() + ": belongs to " + family.name());
                assertTrue(labels.add(register.label()), () -> register.label() + ": is there once");
                assertEquals(Optional.of(register), family.register(register.label()));
                assertEquals(0, register.bits() % Byte.SIZE, () -> register.label() + ": has whole bytes");
            }
            assertEquals(Optional.empty(), family.register("no such register"));
        }
    }

    @Test
    void whatIsUnknownMayBeAnything() {
        assertTrue(Architecture.UNKNOWN.mayBe(X86Architecture.INSTANCE));
        assertTrue(X86Architecture.INSTANCE.mayBe(X86Architecture.INSTANCE));
        assertEquals(false, Architectures.ARM64.mayBe(X86Architecture.INSTANCE));
    }
}
