package dev.guestcore.it;

import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import java.util.ArrayList;
import java.util.List;

/** Writes registers the way QEMU's monitor prints those of a vCPU in 64-bit code, to be compared with it. */
final class MonitorText {

    private MonitorText() {}

    static List<String> of(RegisterState registers) {
        List<String> texts = new ArrayList<>();
        for (X86 register : X86.values()) {
            if (register.group() == X86.Group.GENERAL && register != X86.RFLAGS) {
                texts.add("%-3s=%016x".formatted(register.label().toUpperCase(), registers.get(register)));
            }
        }
        texts.add("RFL=%08x".formatted(registers.get(X86.RFLAGS)));
        for (String name : List.of("es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr")) {
            long attributes = value(registers, name + ".attributes");
            long limit = value(registers, name + ".limit");
            // Bits 16..19 of the limit stand between the attributes; a limit in pages is printed in bytes.
            long rawLimit = (attributes & 0x8000) != 0 ? limit >>> 12 : limit;
            texts.add("%-3s=%04x %016x %08x %08x"
                    .formatted(
                            name.equals("ldtr") ? "LDT" : name.toUpperCase(),
                            value(registers, name),
                            value(registers, name + ".base"),
                            limit,
                            attributes << 8 | rawLimit & 0xf0000));
        }
        texts.add("GDT=     %016x %08x".formatted(registers.get(X86.GDTR_BASE), registers.get(X86.GDTR_LIMIT)));
        texts.add("IDT=     %016x %08x".formatted(registers.get(X86.IDTR_BASE), registers.get(X86.IDTR_LIMIT)));
        texts.add("CR0=%08x CR2=%016x CR3=%016x CR4=%08x"
                .formatted(
                        registers.get(X86.CR0),
                        registers.get(X86.CR2),
                        registers.get(X86.CR3),
                        registers.get(X86.CR4)));
        texts.add("DR0=%016x DR1=%016x DR2=%016x DR3=%016x"
                .formatted(
                        registers.get(X86.DR0),
                        registers.get(X86.DR1),
                        registers.get(X86.DR2),
                        registers.get(X86.DR3)));
        texts.add("DR6=%016x DR7=%016x".formatted(registers.get(X86.DR6), registers.get(X86.DR7)));
        texts.add("EFER=%016x".formatted(registers.get(X86.EFER)));
        long fsw = registers.get(X86.FSW);
        texts.add("FCW=%04x FSW=%04x [ST=%d] FTW=%02x MXCSR=%08x"
                .formatted(
                        registers.get(X86.FCW),
                        fsw,
                        fsw >> 11 & 7,
                        registers.get(X86.FTW),
                        registers.get(X86.MXCSR)));
        for (int i = 0; i < 8; i++) {
            byte[] value = registers.bytes(X86.st(i));
            texts.add("FPR%d=%s %s".formatted((fsw >> 11) + i & 7, bigEndian(value, 0, 8), bigEndian(value, 8, 2)));
        }
        for (int i = 0; i < 16; i++) {
            boolean avx = registers.knows(X86.ymm(i));
            byte[] value = registers.bytes(avx ? X86.ymm(i) : X86.xmm(i));
            StringBuilder text = new StringBuilder((avx ? "YMM%02d=" : "XMM%02d=").formatted(i));
            for (int offset = value.length - 8; offset >= 0; offset -= 8) {
                text.append(bigEndian(value, offset, 8)).append(offset > 0 ? " " : "");
            }
            texts.add(text.toString());
        }
        return texts;
    }

    private static long value(RegisterState registers, String label) {
        return registers.get(X86.ofLabel(label).orElseThrow());
    }

    private static String bigEndian(byte[] bytes, int offset, int size) {
        StringBuilder text = new StringBuilder();
        for (int i = size - 1; i >= 0; i--) {
            text.append("%02x".formatted(bytes[offset + i]));
        }
        return text.toString();
    }
}
