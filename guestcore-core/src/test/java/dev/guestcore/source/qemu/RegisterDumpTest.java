package dev.guestcore.source.qemu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.SourceException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Texts as QEMU prints them in the modes of an x86 processor; 64-bit mode is also tested against a real QEMU. */
class RegisterDumpTest {

    private static final String REAL_MODE =
            """

            CPU#0
            EAX=00000000 EBX=0000b0b0 ECX=00000000 EDX=00060fb1
            ESI=00000000 EDI=00000000 EBP=00000000 ESP=fedcba98
            EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0
            ES =0000 00000000 0000ffff 00009300
            CS =f000 ffff0000 0000ffff 00009b00
            SS =0000 00000000 0000ffff 00009300
            DS =0000 00000000 0000ffff 00009300
            FS =0000 00000000 0000ffff 00009300
            GS =0000 00000000 0000ffff 00009300
            LDT=0000 00000000 0000ffff 00008200
            TR =0000 00000000 0000ffff 00008b00
            GDT=     000f6120 00000037
            IDT=     00000000 0000ffff
            CR0=60000010 CR2=00000000 CR3=00000000 CR4=00000000
            DR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000\s
            DR6=00000000ffff0ff0 DR7=0000000000000400
            EFER=0000000000000000
            FCW=037f FSW=3000 [ST=6] FTW=40 MXCSR=00001f80
            FPR0=0000000000000000 0000 FPR1=1111111111111111 0001
            FPR2=0000000000000000 0000 FPR3=0000000000000000 0000
            FPR4=0000000000000000 0000 FPR5=0000000000000000 0000
            FPR6=8000000000000000 3fff FPR7=c90fdaa22168c235 4000
            XMM00=0f0e0d0c0b0a0908 0706050403020100 XMM01=0000000000000000 0000000000000000
            XMM02=0000000000000000 0000000000000000 XMM03=0000000000000000 0000000000000000
            XMM04=0000000000000000 0000000000000000 XMM05=0000000000000000 0000000000000000
            XMM06=0000000000000000 0000000000000000 XMM07=0000000000000000 0000000000000001
            """;

    /** A 32-bit program of a 64-bit system, AVX-512, a second vCPU, registers that are not known yet. */
    private static final String COMPATIBILITY_MODE =
            """

            CPU#0
            EAX=00000001 EBX=00000002 ECX=00000003 EDX=00000004
            ESI=00000005 EDI=00000006 EBP=00000007 ESP=ffffd000
            EIP=08048000 EFL=00000246 [---Z-P-] CPL=3 II=0 A20=1 SMM=0 HLT=0
            ES =002b 00000000 ffffffff 00c0f300 DPL=3 DS   [-WA]
            CS =0023 00000000 ffffffff 00cffb00 DPL=3 CS32 [-RA]
            SS =002b 00000000 ffffffff 00cff300 DPL=3 DS   [-WA]
            DS =002b 00000000 ffffffff 00cff300 DPL=3 DS   [-WA]
            FS =0000 00000000 00000000 00000000
            GS =0063 f7d8a100 ffffffff 00d0f300 DPL=3 DS   [-WA]
            LDT=0000 00000000 00000000 00008200 DPL=0 LDT
            TR =0040 00003000 00004087 00008b00 DPL=0 TSS64-busy
            GDT=     fffffe0000001000 0000007f
            IDT=     fffffe0000000000 00000fff
            CR0=80050033 CR2=00000000f7d8a100 CR3=0000000001234000 CR4=003506f0
            DR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000\s
            DR6=00000000fffe0ff0 DR7=0000000000000400
            CCS=00000000 CCD=00000000 CCO=EFLAGS
            EFER=0000000000000d01
            FCW=037f FSW=0000 [ST=0] FTW=00 MXCSR=00001f80
            FPR0=0000000000000000 0000 FPR1=0000000000000000 0000
            Opmask00=0000000000000001 Opmask01=0000000000000002 Opmask02=0000000000000000 Opmask03=0000000000000000
            ZMM00=0000000000000007 0000000000000006 0000000000000005 0000000000000004 1f1e1d1c1b1a1918 1716151413121110 0f0e0d0c0b0a0908 0706050403020100
            APXTHING=12 34
            Code=00 11 <22> ??

            CPU#255
            RAX=ffffffffffffffff RBX=0000000000000000 RCX=0000000000000000 RDX=0000000000000000
            R16=0000000000000016 R17=0000000000000017 R18=0000000000000018 R19=0000000000000019
            RIP=ffffffff81000000 RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1
            FS =0000 00007f0000000000 00000000 00000000
            CR0=80050033 CR2=0000000000000000 CR3=0000000001234000 CR4=003506f0
            EFER=0000000000000d01
            YMM00=1f1e1d1c1b1a1918 1716151413121110 0f0e0d0c0b0a0908 0706050403020100
            """;

    private static final byte[] COUNTING =
            HexFormat.of().parseHex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");

    @Test
    void realMode() {
        RegisterState registers = RegisterDump.parse(REAL_MODE).get(0);
        assertEquals(0xb0b0, registers.get(X86.RBX));
        assertEquals(0xfedcba98L, registers.get(X86.RSP));
        assertEquals(0xfff0, registers.get(X86.RIP));
        assertEquals(2, registers.get(X86.RFLAGS));
        assertEquals(0xf000, registers.get(X86.CS));
        assertEquals(0xffff0000L, registers.get(X86.CS_BASE));
        assertEquals(0xffff, registers.get(X86.CS_LIMIT));
        assertEquals(0x9b, registers.get(X86.CS_ATTRIBUTES));
        assertEquals(0x8b, registers.get(X86.TR_ATTRIBUTES));
        assertEquals(0, registers.get(X86.LDTR_BASE));
        assertEquals(0xf6120, registers.get(X86.GDTR_BASE));
        assertEquals(0x37, registers.get(X86.GDTR_LIMIT));
        assertEquals(0x60000010, registers.get(X86.CR0));
        assertEquals(0x400, registers.get(X86.DR7));
        assertEquals(0, registers.get(X86.EFER));
        assertEquals(0x40, registers.get(X86.FTW));
        assertArrayEquals(HexFormat.of().parseHex("0000000000000080ff3f"), registers.bytes(X86.ST0));
        assertArrayEquals(HexFormat.of().parseHex("35c26821a2da0fc90040"), registers.bytes(X86.ST1));
        assertArrayEquals(HexFormat.of().parseHex("11111111111111110100"), registers.bytes(X86.ST3));
        assertArrayEquals(Arrays.copyOf(COUNTING, 16), registers.bytes(X86.XMM0));
        assertEquals("0x1", registers.hex(X86.XMM7));
        for (X86 unknown : Set.of(X86.R8, X86.R15, X86.XMM8, X86.YMM0, X86.LSTAR, X86.CR8, X86.DR4)) {
            assertFalse(registers.knows(unknown), unknown.label());
        }
    }

    @Test
    void avx512() {
        RegisterState registers = RegisterDump.parse(COMPATIBILITY_MODE).get(0);
        assertEquals(1, registers.get(X86.K0));
        assertEquals(2, registers.get(X86.K1));
        assertFalse(registers.knows(X86.K4));
        byte[] zmm = registers.bytes(X86.ZMM0);
        assertArrayEquals(COUNTING, Arrays.copyOf(zmm, 32));
        assertEquals(4, zmm[32]);
        assertEquals(7, zmm[56]);
        assertArrayEquals(COUNTING, registers.bytes(X86.YMM0));
    }

    @Test
    void compatibilityModeDoesNotInventUpperHalves() {
        RegisterState registers = RegisterDump.parse(COMPATIBILITY_MODE).get(0);
        assertEquals(0x8048000, registers.get(X86.RIP));
        assertEquals(0xc0fb, registers.get(X86.CS_ATTRIBUTES));
        assertEquals(0x63, registers.get(X86.GS));
        assertEquals(0xd0f3, registers.get(X86.GS_ATTRIBUTES));
        assertEquals(0x40, registers.get(X86.TR));
        assertEquals(0, registers.get(X86.DS_BASE));
        for (X86 cut : Set.of(X86.FS_BASE, X86.GS_BASE, X86.TR_BASE, X86.LDTR_BASE, X86.R8)) {
            assertFalse(registers.knows(cut), cut.label());
        }
        assertEquals(0xfffffe0000001000L, registers.get(X86.GDTR_BASE));
        assertEquals(0xfff, registers.get(X86.IDTR_LIMIT));
        assertEquals(0xd01, registers.get(X86.EFER));
        assertArrayEquals(COUNTING, registers.bytes(X86.YMM0));
        assertArrayEquals(Arrays.copyOf(COUNTING, 16), registers.bytes(X86.XMM0));
    }

    @Test
    void everyVcpuByItsNumber() {
        Map<Integer, RegisterState> all = RegisterDump.parse(COMPATIBILITY_MODE);
        assertEquals(Set.of(0, 255), all.keySet());
        RegisterState second = all.get(255);
        assertEquals(-1L, second.get(X86.RAX));
        assertEquals(0xffffffff81000000L, second.get(X86.RIP));
        assertEquals(0x7f0000000000L, second.get(X86.FS_BASE));
        assertArrayEquals(COUNTING, second.bytes(X86.YMM0));
        assertFalse(second.knows(X86.RSP));
    }

    @Test
    void nonsenseIsRefused() {
        refused("", "no vCPU");
        refused("CPU#0\nX0=0000000000000000\n", "no eip");
        refused("CPU#99999999999\nEIP=0\n", "impossible vCPU number");
        refused(REAL_MODE.replace("CR3=00000000", "CR3=0000000g"), "printed cr3 of vCPU 0 as '0000000g'");
        refused(REAL_MODE.replace("CS =f000 ffff0000 0000ffff 00009b00", "CS =f000"), "printed cs of vCPU 0");
        refused(REAL_MODE.replace("CR3=00000000", ""), "no cr3");
    }

    private static void refused(String text, String message) {
        SourceException error = assertThrows(SourceException.class, () -> RegisterDump.parse(text));
        assertTrue(error.getMessage().contains(message), error.getMessage());
    }
}
