package dev.guestcore.arch.x86;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Vcpu;
import dev.guestcore.cpu.RegisterState;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class X86ModeTest {

    private static final long KERNEL = 0xffffffff9b000040L;

    private static RegisterState registers(String text) {
        RegisterState.Builder registers = RegisterState.builder();
        for (String part : text.strip().split(" ")) {
            String[] pair = part.split("=");
            registers.set(X86.ofLabel(pair[0]).orElseThrow(), Long.parseUnsignedLong(pair[1], 16));
        }
        return registers.build();
    }

    @ParameterizedTest
    @CsvSource({
        "efer=d01 cr0=80000001 cr4=20 rip=1000, LONG",
        "efer=0 cr0=80000001 cr4=20 rip=1000, LEGACY",
        // The low L bit means nothing outside of long mode.
        "efer=0 cr0=80000001 cr4=20 rip=1000 cs.attributes=209b, LEGACY",
        "cr0=80000001 cr4=20 rip=ffffffff81000000, LONG",
        "rip=ffffffff81000000, LONG",
        "cr0=80000001 cr4=20 rip=1000 cs.attributes=209b, LONG",
        "cr0=80000001 cr4=20 rip=1000 rsp=7ffd00000000, LONG",
        "cr0=80000001 cr4=20 rip=1000 tr.base=fffffe0000003000, LONG",
        "cr0=1 cr4=20 rip=1000 cs.attributes=209b, LEGACY",
        "cr0=80000001 cr4=10 rip=1000, LEGACY",
        "cr0=80000001 cr4=20 rip=1000 rsp=c0001000, UNKNOWN",
        "rip=1000, UNKNOWN"
    })
    void everyRegisterIsAWitness(String text, X86Mode.Width width) {
        X86Mode mode = X86Mode.of(registers(text));
        assertEquals(width, mode.width(), mode.how());
        assertTrue(mode.contradiction().isEmpty(), mode::toString);
    }

    @ParameterizedTest
    @CsvSource({
        "efer=0 cr0=80000001 cr4=20 rip=ffffffff81000000 cs.attributes=209b, efer 0x0 has LMA clear",
        "efer=1 rip=100000000, efer 0x1 has LMA clear",
        "cr0=11 rip=ffffffff81000000, cr0 0x11 has PG clear",
        "cr0=80000001 cr4=0 rip=ffffffff81000000, cr4 0x0 has PAE clear",
        "efer=500 cr0=11 rip=1000, efer 0x500 has LMA set",
        "efer=500 cr0=80000001 cr4=0 rip=1000, cr4 0x0 has PAE clear"
    })
    void tellsRegistersThatCannotBeTrueTogether(String text, String said) {
        X86Mode mode = X86Mode.of(registers(text));
        assertTrue(mode.contradiction().orElse("nothing").contains(said), mode::toString);
        assertTrue(mode.isLong(), mode::toString);
    }

    @Test
    void otherProcessorsAreWitnessesWhereTheOwnRegistersAreSilent() {
        Vcpu silent = new Vcpu(0, registers("cr0=80000001 cr4=20 rip=1000"));
        Vcpu kernel = new Vcpu(3, registers("cr0=80000001 cr4=20 rip=ffffffff81000000"));
        Vcpu waiting = new Vcpu(4, registers("cr0=60000010 cr4=0 rip=fff0"));
        List<Vcpu> all = List.of(silent, kernel, waiting);
        assertEquals("efer is unknown, but vCPU 3 is in long mode", X86Mode.of(silent, all).how());
        assertEquals(X86Mode.Width.LEGACY, X86Mode.of(waiting, all).width());
        assertEquals(X86Mode.Width.UNKNOWN, X86Mode.of(silent, List.of(silent, waiting)).width());
    }

    @Test
    void impliesWhatLongModeNeedsAndNothingElse() {
        RegisterState known = RegisterState.builder().set(X86.RIP, KERNEL).set(X86.CS, 0x33).build();
        RegisterState expected = RegisterState.builder()
                .set(X86.CS_ATTRIBUTES, 0x20fb)
                .set(X86.CR0, 0x80000001L)
                .set(X86.CR4, 0x20)
                .set(X86.EFER, 0x500)
                .build();
        assertEquals(expected, X86Mode.of(known).implied(known));
        RegisterState all = known.toBuilder().setAll(expected).build();
        assertEquals(RegisterState.unknown(), X86Mode.of(all).implied(all));
        RegisterState legacy = RegisterState.builder().set(X86.CR0, 0x11).build();
        assertEquals(RegisterState.unknown(), X86Mode.of(legacy).implied(legacy));
    }
}
