package dev.guestcore.source.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.arm64.Arm64;
import dev.guestcore.arch.riscv64.Riscv64;
import dev.guestcore.arch.s390x.S390x;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.SourceException;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Texts in the form of QEMU 7.2 and 10.0. */
class MonitorProcessorTest {

    private static RegisterState only(MonitorProcessor processor, String text) {
        return processor.parse("\nCPU#0\n" + text).get(0);
    }

    @Test
    void readsArm64() {
        RegisterState cpu = only(MonitorProcessor.AARCH64, """
                 PC=ffffa9465cddabc8 X00=0000000000000005 X01=ffff04e2cff34550
                X09=ffffa9465c18e794 X10=0000000000000191
                X29=ffffa9465dac3d80 X30=ffffa9465cddabe0  SP=ffffa9465dac3d80
                PSTATE=400000c5 -Z-- EL1h     FPCR=00000000 FPSR=00000010
                Q00=2f2f2f2f2f2f2f2f:3f2f2f2f2f2f2f2f Q31=0000000000000001:41cdcd6500000000
                """);
        assertEquals(0xffffa9465cddabc8L, cpu.get(Arm64.PC));
        assertEquals(0xffffa9465c18e794L, cpu.get(Arm64.x(9)));
        assertEquals(0xffffa9465cddabe0L, cpu.get(Arm64.x(30)));
        assertEquals(0xffffa9465dac3d80L, cpu.get(Arm64.SP));
        assertEquals(0x400000c5L, cpu.get(Arm64.PSTATE));
        assertEquals(0x10, cpu.get(Arm64.FPSR));
        assertEquals("0x2f2f2f2f2f2f2f2f3f2f2f2f2f2f2f2f", cpu.hex(Arm64.v(0)));
        assertEquals("0x141cdcd6500000000", cpu.hex(Arm64.v(31)));
        assertFalse(cpu.knows(Arm64.system("ttbr0_el1")));
    }

    @Test
    void readsScalableVectors() {
        RegisterState cpu = only(MonitorProcessor.AARCH64, """
                 PC=0000000000000010 X00=0000000000000005
                P00=0000000000000011 P15=00000000000000ff FFR=0000000000000001
                Z00[3-2]=0000000000000008:0000000000000007:0000000000000006:0000000000000005
                   [1-0]=0000000000000004:0000000000000003:0000000000000002:0000000000000001
                Z31[3-2]=0000000000000000:0000000000000000:0000000000000000:0000000000000000
                   [1-0]=0000000000000000:0000000000000000:0000000000000000:0000000000000009
                """);
        assertEquals(8, cpu.get(Arm64.VG));
        assertEquals(64, cpu.bytes(Arm64.z(0)).length);
        assertTrue(cpu.hex(Arm64.z(0)).startsWith("0x00000000000000080000000000000007"), cpu.hex(Arm64.z(0)));
        assertEquals("0x20000000000000001", cpu.hex(Arm64.v(0)));
        assertEquals("0x" + "0".repeat(127) + "9", cpu.hex(Arm64.z(31)));
        assertEquals("0x00000000000000ff", cpu.hex(Arm64.p(15)));
        assertEquals(8, cpu.bytes(Arm64.FFR).length);
    }

    @Test
    void readsRiscv64() {
        RegisterState cpu = only(MonitorProcessor.RISCV64, """
                 V      =   0
                 pc       ffffffff808078c4
                 mstatus  0000000a000000a0
                 satp     a001c00000082ee0
                 x0/zero  0000000000000000 x1/ra    ffffffff800edb18 x2/sp    ffffffff81c03c90
                 fcsr     0000000000000020
                 f31/ft11 0000000000000007
                """);
        assertEquals(
                Set.of("pc", "mstatus", "satp", "ra", "sp", "fcsr", "ft11"),
                cpu.known().stream().map(register -> register.label()).collect(java.util.stream.Collectors.toSet()));
        assertEquals(0xa001c00000082ee0L, cpu.get(Riscv64.SATP));
        assertEquals(0xffffffff81c03c90L, cpu.get(Riscv64.SP));
    }

    @Test
    void readsS390x() {
        RegisterState cpu = only(MonitorProcessor.S390X, """
                PSW=mask 0404c00180000000 addr 0000000000a331e4 cc 00
                R00=000000001b2e8a00 R15=0000037fffd13da0
                V01=000000000120adb80000000000000003
                C00=0000000014166a10 C13=0000000001290007
                """);
        assertEquals(0x0404c00180000000L, cpu.get(S390x.PSWM));
        assertEquals(0xa331e4L, cpu.get(S390x.PSWA));
        assertEquals(0x37fffd13da0L, cpu.get(S390x.r(15)));
        assertEquals(0x1290007L, cpu.get(S390x.control(13)));
        assertEquals(0x120adb8L, cpu.get(S390x.f(1)));
        assertEquals("0x120adb80000000000000003", cpu.hex(S390x.v(1)));
    }

    @Test
    void refusesWhatIsNoSuchText() {
        for (String text : new String[] {"", "X00=1", "\nPC=", "\u0000".repeat(100), "PC=zz"}) {
            assertThrows(SourceException.class, () -> only(MonitorProcessor.AARCH64, text), text);
        }
        assertTrue(
                assertThrows(SourceException.class, () -> only(MonitorProcessor.AARCH64, "R00=00000000 R01=00000000"))
                        .getMessage()
                        .contains("AArch32"));
        assertEquals("x86, arm64, riscv64, s390x", MonitorProcessor.known());
        assertEquals(Architectures.ARM64, MonitorProcessor.ofTarget("aarch64").orElseThrow().architecture());
        assertTrue(MonitorProcessor.ofTarget("ppc64").isEmpty());
    }
}
