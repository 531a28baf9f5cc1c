package dev.guestcore.source.qemu;

import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.SourceException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.BiFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads what QEMU's monitor prints for {@code info registers -a} of x86 vCPUs. QEMU prints 64-bit registers only while
 * the vCPU runs 64-bit code; elsewhere the lower 32 bits of eight registers, which is all that such code sees.
 *
 * <pre>
 * CPU#0
 * RAX=... RBX=...                            EAX=... EBX=...           (16 and 32-bit code)
 * RIP=... RFL=... [...] CPL=0 ...            EIP=... EFL=... [...]
 * CS =selector base limit flags DPL=...      flags: upper dword of the descriptor, base bits masked
 * GDT=     base limit
 * CR0=... CR2=... CR3=... CR4=...            CR0 and CR4: lower 32 bits
 * FCW=... FSW=... [ST=n] FTW=.. MXCSR=...    FTW: one bit a physical register, set where it is in use
 * FPR0=mantissa exponent                     physical registers: st(i) is FPR(n + i mod 8)
 * Opmask00=... to Opmask07                   k0 to k7
 * XMM00=upper lower                          or YMM00= four, or ZMM00= eight quadwords, highest first
 * </pre>
 */
final class RegisterDump {

    private static final Pattern HEADER = Pattern.compile("(?m)^[ \\t]*CPU#(\\d+)[ \\t]*$");
    private static final Pattern FIELD = Pattern.compile("\\b([A-Za-z][A-Za-z0-9]*) *=");
    private static final Pattern HEX = Pattern.compile("[0-9a-fA-F]{1,16}");
    private static final Set<String> SEGMENTS = Set.of("es", "cs", "ss", "ds", "fs", "gs", "ldt", "tr");

    /** Bits of the flags word that are attributes, after the shift: the rest belongs to the limit. */
    private static final long ATTRIBUTES = 0xf0ff;

    /** Characters of what the monitor said that an error shows. */
    private static final int SHOWN = 200;

    private static final int XMM_REGISTERS = 16;
    private static final int ZMM_REGISTERS = 32;
    private static final int OPMASK_REGISTERS = 8;

    private static final long LONG_MODE_ACTIVE = 1L << 10;

    private final Map<String, String[]> fields = new HashMap<>();
    private final RegisterState.Builder registers = RegisterState.builder();
    private final int cpu;

    private RegisterDump(int cpu, String text) {
        this.cpu = cpu;
        for (String line : text.split("\n")) {
            Matcher field = FIELD.matcher(line);
            String name = null;
            int valueStart = 0;
            while (field.find()) {
                if (name != null) {
                    put(name, line.substring(valueStart, field.start()));
                }
                name = field.group(1).toLowerCase(Locale.ROOT);
                valueStart = field.end();
            }
            if (name != null) {
                put(name, line.substring(valueStart));
            }
        }
    }

    private void put(String name, String value) {
        // "[ST=3]" ends in a bracket; "FSW=0000 [" in the beginning of one.
        fields.putIfAbsent(name, value.replaceAll("[\\[\\]]", " ").strip().split("\\s+"));
    }

    /**
     * The registers of every vCPU, by QEMU's number of it.
     *
     * @throws SourceException if the text is not such a dump
     */
    static Map<Integer, RegisterState> parse(String text) {
        return parse(text, (number, printed) -> new RegisterDump(number, printed).read());
    }

    /**
     * The registers of every vCPU of any processor, by QEMU's number of it.
     *
     * @param reader takes the number of a vCPU and what was printed of it
     * @throws SourceException if there is no vCPU in the text
     */
    static Map<Integer, RegisterState> parse(String text, BiFunction<Integer, String, RegisterState> reader) {
        Map<Integer, RegisterState> cpus = new TreeMap<>();
        Matcher header = HEADER.matcher(text);
        int cpu = -1;
        int start = 0;
        while (header.find()) {
            if (cpus.size() == QemuSource.MOST_VCPUS) {
                throw new SourceException("QEMU's monitor printed more than " + QemuSource.MOST_VCPUS + " vCPUs");
            }
            if (cpu >= 0) {
                cpus.put(cpu, reader.apply(cpu, text.substring(start, header.start())));
            }
            cpu = number(header.group(1));
            start = header.end();
        }
        if (cpu < 0) {
            throw new SourceException("QEMU's monitor printed no vCPU for `info registers -a`; found: "
                    + QmpClient.printable(text, SHOWN));
        }
        cpus.put(cpu, reader.apply(cpu, text.substring(start)));
        return cpus;
    }

    private static int number(String digits) {
        try {
            return Integer.parseInt(digits);
        } catch (NumberFormatException e) {
            throw new SourceException("QEMU's monitor printed an impossible vCPU number: "
                    + QmpClient.printable(digits, SHOWN), e);
        }
    }

    private RegisterState read() {
        boolean wide = fields.containsKey("rip");
        for (int i = 0; i < 16; i++) {
            X86 register = X86.general(i);
            set(register, wide || i >= 8 ? register.label() : register.label().replace('r', 'e'));
        }
        require(X86.RIP, wide ? "rip" : "eip");
        require(X86.RFLAGS, wide ? "rfl" : "efl");
        boolean longMode = fields.containsKey("efer") && (value("efer", 0) & LONG_MODE_ACTIVE) != 0;
        readSegments(longMode && !wide);
        readTable("gdt", X86.GDTR_BASE, X86.GDTR_LIMIT);
        readTable("idt", X86.IDTR_BASE, X86.IDTR_LIMIT);
        require(X86.CR0, "cr0");
        set(X86.CR2, "cr2");
        require(X86.CR3, "cr3");
        set(X86.CR4, "cr4");
        set(X86.DR0, "dr0");
        set(X86.DR1, "dr1");
        set(X86.DR2, "dr2");
        set(X86.DR3, "dr3");
        set(X86.DR6, "dr6");
        set(X86.DR7, "dr7");
        set(X86.EFER, "efer");
        set(X86.FCW, "fcw");
        set(X86.FSW, "fsw");
        set(X86.FTW, "ftw");
        set(X86.MXCSR, "mxcsr");
        readStack();
        for (int i = 0; i < OPMASK_REGISTERS; i++) {
            set(X86.opmask(i), "opmask0" + i);
        }
        for (int i = 0; i < ZMM_REGISTERS; i++) {
            readVector(i);
        }
        return registers.build();
    }

    /** In a 32-bit program of a 64-bit guest QEMU cuts bases that may be longer; half a base is not known. */
    private void readSegments(boolean longBasesAreCut) {
        for (String name : SEGMENTS) {
            if (!fields.containsKey(name)) {
                continue;
            }
            String label = name.equals("ldt") ? "ldtr" : name;
            registers.set(register(label), value(name, 0));
            if (!longBasesAreCut || !Set.of("fs", "gs", "ldt", "tr").contains(name)) {
                registers.set(register(label + ".base"), value(name, 1));
            }
            registers.set(register(label + ".limit"), value(name, 2));
            registers.set(register(label + ".attributes"), value(name, 3) >>> 8 & ATTRIBUTES);
        }
    }

    private static X86 register(String label) {
        return X86.ofLabel(label).orElseThrow();
    }

    private void readTable(String name, X86 base, X86 limit) {
        if (fields.containsKey(name)) {
            registers.set(base, value(name, 0));
            registers.set(limit, value(name, 1));
        }
    }

    private void readStack() {
        if (!fields.containsKey("fsw")) {
            return;
        }
        int top = (int) (value("fsw", 0) >>> 11 & 7);
        for (int i = 0; i < 8; i++) {
            String name = "fpr" + (top + i & 7);
            if (fields.containsKey(name)) {
                byte[] bytes = new byte[10];
                putLittleEndian(value(name, 0), bytes, 0, 8);
                putLittleEndian(value(name, 1), bytes, 8, 2);
                registers.set(X86.st(i), bytes);
            }
        }
    }

    private void readVector(int number) {
        String digits = number < 10 ? "0" + number : Integer.toString(number);
        for (Map.Entry<String, Integer> form : Map.of("xmm", 2, "ymm", 4, "zmm", 8).entrySet()) {
            String name = form.getKey() + digits;
            if (fields.containsKey(name)) {
                int quadwords = form.getValue();
                byte[] bytes = new byte[quadwords * 8];
                for (int i = 0; i < quadwords; i++) {
                    putLittleEndian(value(name, quadwords - 1 - i), bytes, i * 8, 8);
                }
                if (number < XMM_REGISTERS) {
                    registers.set(X86.xmm(number), Arrays.copyOf(bytes, 16));
                    if (quadwords >= 4) {
                        registers.set(X86.ymm(number), Arrays.copyOf(bytes, 32));
                    }
                }
                if (quadwords == 8) {
                    registers.set(X86.zmm(number), bytes);
                }
            }
        }
    }

    private static void putLittleEndian(long value, byte[] bytes, int offset, int size) {
        for (int i = 0; i < size; i++) {
            bytes[offset + i] = (byte) (value >>> 8 * i);
        }
    }

    private void set(X86 register, String name) {
        if (fields.containsKey(name)) {
            registers.set(register, value(name, 0));
        }
    }

    private void require(X86 register, String name) {
        if (!fields.containsKey(name)) {
            throw new SourceException("QEMU's monitor printed no " + name + " for vCPU " + cpu
                    + "; is the guest an x86 machine?");
        }
        set(register, name);
    }

    private long value(String name, int index) {
        String[] words = fields.get(name);
        if (words == null || index >= words.length || !HEX.matcher(words[index]).matches()) {
            throw new SourceException("QEMU's monitor printed " + name + " of vCPU " + cpu + " as '"
                    + (words == null ? "" : QmpClient.printable(String.join(" ", words), SHOWN))
                    + "', expected a hexadecimal number at position "
                    + (index + 1));
        }
        return Long.parseUnsignedLong(words[index], 16);
    }
}
