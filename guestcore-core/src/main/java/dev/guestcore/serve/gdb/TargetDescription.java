package dev.guestcore.serve.gdb;

import dev.guestcore.Guest;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.arch.x86.X86Mode;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.facts.XenFacts;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * The registers that a client gets, in the order of their numbers, and the XML that tells it so (GDB manual, appendix
 * "Target Descriptions", "i386 Features"). The standard features have the registers and types that gdb demands; those
 * that no standard feature has are in {@code dev.guestcore.x86.system}, under the names that QEMU gives them where it
 * has them. Immutable.
 */
final class TargetDescription {


    /** Registers under QEMU's names; a client always gets them, known or not. */
    private static final List<X86> CONTROL = List.of(X86.CR0, X86.CR2, X86.CR3, X86.CR4, X86.CR8, X86.EFER);

    private final boolean wide;
    private final List<Slot> slots = new ArrayList<>();
    private final StringBuilder xml = new StringBuilder(8192);
    private final List<Vcpu> vcpus;

    /**
     * One register of the client.
     *
     * @param bytes how many it has
     * @param value its little-endian value, empty where the source does not know it
     */
    private record Slot(int bytes, Function<RegisterState, Optional<byte[]>> value) {}

    private TargetDescription(List<Vcpu> vcpus, boolean wide) {
        this.vcpus = vcpus;
        this.wide = wide;
        xml.append("<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target>\n");
        xml.append("<architecture>").append(wide ? "i386:x86-64" : "i386").append("</architecture>\n");
        core();
        sse();
        if (vcpus.stream().anyMatch(vcpu -> vcpu.registers().knows(X86.YMM0))) {
            avx();
            if (vcpus.stream().anyMatch(vcpu -> vcpu.registers().knows(X86.K0))) {
                avx512();
            }
        }
        linux();
        if (wide) {
            begin("org.gnu.gdb.i386.segments");
            plain("fs_base", X86.FS_BASE, "int");
            plain("gs_base", X86.GS_BASE, "int");
            end();
        }
        if (vcpus.stream().anyMatch(vcpu -> vcpu.registers().knows(X86.PKRU))) {
            begin("org.gnu.gdb.i386.pkeys");
            plain("pkru", X86.PKRU, "uint32");
            end();
        }
        system();
        xml.append("</target>\n");
    }

    /** The description for a guest: 64-bit unless it is known that no vCPU is in long mode. */
    static TargetDescription of(Guest guest, List<Vcpu> vcpus) {
        return new TargetDescription(vcpus, isWide(guest, vcpus));
    }

    private static boolean isWide(Guest guest, List<Vcpu> vcpus) {
        Optional<XenFacts> paravirtualized = guest.facts(XenFacts.class).filter(XenFacts::paravirtualized);
        if (paravirtualized.isPresent()) {
            return paravirtualized.get().guestWidth() == Long.BYTES;
        }
        return vcpus.stream().anyMatch(vcpu -> X86Mode.of(vcpu.registers()).width() != X86Mode.Width.LEGACY);
    }

    /** Whether general registers have 64 bits. */
    boolean isWide() {
        return wide;
    }

    /** The description, ASCII. */
    String xml() {
        return xml.toString();
    }

    /** All registers in hexadecimal digits, {@code x} for those that the source does not know. */
    String all(RegisterState registers) {
        StringBuilder text = new StringBuilder();
        slots.forEach(slot -> text.append(hex(slot, registers)));
        return text.toString();
    }

    /**
     * One register in hexadecimal digits.
     *
     * @throws RequestException if there is none of that number
     */
    String one(long number, RegisterState registers) {
        if (number < 0 || number >= slots.size()) {
            throw RequestException.invalid("register number 0x" + Long.toHexString(number));
        }
        return hex(slots.get((int) number), registers);
    }

    private static String hex(Slot slot, RegisterState registers) {
        return slot.value()
                .apply(registers)
                .map(bytes -> Hex.of(bytes, bytes.length))
                .orElseGet(() -> "x".repeat(2 * slot.bytes()));
    }

    private void begin(String feature) {
        xml.append("<feature name=\"").append(feature).append("\">\n");
    }

    private void end() {
        xml.append("</feature>\n");
    }

    private void register(
            String name, int bits, String type, String group, Function<RegisterState, Optional<byte[]>> value) {
        xml.append("<reg name=\"").append(name).append("\" bitsize=\"").append(bits).append("\" type=\"").append(type);
        if (!group.isEmpty()) {
            xml.append("\" group=\"").append(group);
        }
        xml.append("\" regnum=\"").append(slots.size()).append("\"/>\n");
        int size = bits / Byte.SIZE;
        slots.add(new Slot(size, registers -> value.apply(registers).map(bytes -> Arrays.copyOf(bytes, size))));
    }

    private static Function<RegisterState, Optional<byte[]>> valueOf(Register register) {
        return registers -> registers.knows(register) ? Optional.of(registers.bytes(register)) : Optional.empty();
    }

    private static Function<RegisterState, Optional<byte[]>> number(
            Register needed, Function<RegisterState, Long> value) {
        return registers -> registers.knows(needed) ? Optional.of(bytes(value.apply(registers))) : Optional.empty();
    }

    private static byte[] bytes(long value) {
        byte[] bytes = new byte[Long.BYTES];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (value >>> i * Byte.SIZE);
        }
        return bytes;
    }

    /** A register as wide as the model has it. */
    private void plain(String name, X86 register, String type) {
        register(name, register.bits(), type, "", valueOf(register));
    }

    private void core() {
        begin("org.gnu.gdb.i386.core");
        flags("i386_eflags", 4, "CF:0 PF:2 AF:4 ZF:6 SF:7 TF:8 IF:9 DF:10 OF:11 NT:14 RF:16 VM:17 AC:18 VIF:19 VIP:20"
                + " ID:21");
        int width = wide ? Long.SIZE : Integer.SIZE;
        List<X86> general = wide
                ? List.of(X86.RAX, X86.RBX, X86.RCX, X86.RDX, X86.RSI, X86.RDI, X86.RBP, X86.RSP)
                : List.of(X86.RAX, X86.RCX, X86.RDX, X86.RBX, X86.RSP, X86.RBP, X86.RSI, X86.RDI);
        for (X86 register : general) {
            boolean pointer = register == X86.RBP || register == X86.RSP;
            String name = (wide ? "r" : "e") + register.label().substring(1);
            register(name, width, pointer ? "data_ptr" : "int" + width, "", valueOf(register));
        }
        for (int i = 8; wide && i < 16; i++) {
            register("r" + i, width, "int64", "", valueOf(X86.general(i)));
        }
        register(wide ? "rip" : "eip", width, "code_ptr", "", valueOf(X86.RIP));
        register("eflags", Integer.SIZE, "i386_eflags", "", valueOf(X86.RFLAGS));
        for (X86 selector : List.of(X86.CS, X86.SS, X86.DS, X86.ES, X86.FS, X86.GS)) {
            register(selector.label(), Integer.SIZE, "int32", "", valueOf(selector));
        }
        for (int i = 0; i < 8; i++) {
            register("st" + i, 80, "i387_ext", "", valueOf(X86.st(i)));
        }
        x87("fctrl", valueOf(X86.FCW));
        x87("fstat", valueOf(X86.FSW));
        x87("ftag", registers -> X87Tags.areKnown(registers)
                ? Optional.of(bytes(X87Tags.word(registers)))
                : Optional.empty());
        x87("fiseg", number(X86.FIP, registers -> registers.get(X86.FIP) >>> 32 & 0xffff));
        x87("fioff", number(X86.FIP, registers -> registers.get(X86.FIP)));
        x87("foseg", number(X86.FDP, registers -> registers.get(X86.FDP) >>> 32 & 0xffff));
        x87("fooff", number(X86.FDP, registers -> registers.get(X86.FDP)));
        x87("fop", valueOf(X86.FOP));
        end();
    }

    private void x87(String name, Function<RegisterState, Optional<byte[]>> value) {
        register(name, Integer.SIZE, "int", "float", value);
    }

    private void sse() {
        begin("org.gnu.gdb.i386.sse");
        vectorTypes();
        flags("i386_mxcsr", 4, "IE:0 DE:1 ZE:2 OE:3 UE:4 PE:5 DAZ:6 IM:7 DM:8 ZM:9 OM:10 UM:11 PM:12 FZ:15");
        for (int i = 0; i < vectors(); i++) {
            X86 xmm = X86.xmm(i);
            X86 ymm = X86.ymm(i);
            register(xmm.label(), 128, "vec128", "", registers ->
                    registers.knows(xmm) ? Optional.of(registers.bytes(xmm)) : valueOf(ymm).apply(registers));
        }
        register("mxcsr", Integer.SIZE, "i386_mxcsr", "vector", valueOf(X86.MXCSR));
        end();
    }

    /** A feature knows its own types only. */
    private void vectorTypes() {
        xml.append("""
                <vector id="v8bf16" type="bfloat16" count="8"/>
                <vector id="v4f" type="ieee_single" count="4"/>
                <vector id="v2d" type="ieee_double" count="2"/>
                <vector id="v16i8" type="int8" count="16"/>
                <vector id="v8i16" type="int16" count="8"/>
                <vector id="v4i32" type="int32" count="4"/>
                <vector id="v2i64" type="int64" count="2"/>
                <union id="vec128">
                <field name="v8_bfloat16" type="v8bf16"/>
                <field name="v4_float" type="v4f"/>
                <field name="v2_double" type="v2d"/>
                <field name="v16_int8" type="v16i8"/>
                <field name="v8_int16" type="v8i16"/>
                <field name="v4_int32" type="v4i32"/>
                <field name="v2_int64" type="v2i64"/>
                <field name="uint128" type="uint128"/>
                </union>
                """);
    }

    private int vectors() {
        return wide ? 16 : 8;
    }

    private void avx() {
        begin("org.gnu.gdb.i386.avx");
        for (int i = 0; i < vectors(); i++) {
            X86 ymm = X86.ymm(i);
            register("ymm" + i + "h", 128, "uint128", "", registers -> registers.knows(ymm)
                    ? Optional.of(Arrays.copyOfRange(registers.bytes(ymm), 16, 32))
                    : Optional.empty());
        }
        end();
    }

    /** As gdb's 64bit-avx512.xml has it; 32-bit code has eight registers and none beyond. */
    private void avx512() {
        begin("org.gnu.gdb.i386.avx512");
        vectorTypes();
        xml.append("<vector id=\"v2ui128\" type=\"uint128\" count=\"2\"/>\n");
        for (int i = 16; wide && i < 32; i++) {
            part("xmm" + i, "vec128", X86.zmm(i), 0, 16);
        }
        for (int i = 16; wide && i < 32; i++) {
            part("ymm" + i + "h", "uint128", X86.zmm(i), 16, 32);
        }
        for (int i = 0; i < 8; i++) {
            plain("k" + i, X86.opmask(i), "uint64");
        }
        for (int i = 0; i < 2 * vectors(); i++) {
            if (wide || i < vectors()) {
                part("zmm" + i + "h", "v2ui128", X86.zmm(i), 32, 64);
            }
        }
        end();
    }

    /** Some bytes of a register as a register of the client's own. */
    private void part(String name, String type, X86 register, int from, int to) {
        register(name, (to - from) * Byte.SIZE, type, "", registers -> registers.knows(register)
                ? Optional.of(Arrays.copyOfRange(registers.bytes(register), from, to))
                : Optional.empty());
    }

    /** gdb wants the register that Linux invents for restarting system calls; a virtual machine has none. */
    private void linux() {
        begin("org.gnu.gdb.i386.linux");
        int width = wide ? Long.SIZE : Integer.SIZE;
        register(wide ? "orig_rax" : "orig_eax", width, "int", "system", registers -> Optional.empty());
        end();
    }

    private void system() {
        begin("dev.guestcore.x86.system");
        flags("x86_cr0", 8, "PE:0 MP:1 EM:2 TS:3 ET:4 NE:5 WP:16 AM:18 NW:29 CD:30 PG:31");
        flags("x86_cr4", 8, "VME:0 PVI:1 TSD:2 DE:3 PSE:4 PAE:5 MCE:6 PGE:7 PCE:8 OSFXSR:9 OSXMMEXCPT:10 UMIP:11"
                + " LA57:12 VMXE:13 SMXE:14 FSGSBASE:16 PCIDE:17 OSXSAVE:18 SMEP:20 SMAP:21 PKE:22 CET:23 PKS:24");
        flags("x86_efer", 8, "SCE:0 LME:8 LMA:10 NXE:11 SVME:12 LMSLE:13 FFXSR:14 TCE:15");
        if (!wide) {
            systemRegister("fs_base", X86.FS_BASE, "uint64");
            systemRegister("gs_base", X86.GS_BASE, "uint64");
        }
        systemRegister("k_gs_base", X86.KERNEL_GS_BASE, "uint64");
        for (X86 register : CONTROL) {
            String type =
                    switch (register) {
                        case CR0, CR4, EFER -> "x86_" + register.label();
                        default -> "uint64";
                    };
            systemRegister(register.label(), register, type);
        }
        for (X86 register : X86.values()) {
            if (isRest(register) && vcpus.stream().anyMatch(vcpu -> vcpu.registers().knows(register))) {
                systemRegister(register.label().replace('.', '_'), register, "uint" + register.bits());
            }
        }
        end();
    }

    private void systemRegister(String name, X86 register, String type) {
        register(name, register.bits(), type, "system", valueOf(register));
    }

    /** Whether no feature has it so far. */
    private static boolean isRest(X86 register) {
        if (CONTROL.contains(register)) {
            return false;
        }
        return switch (register) {
            case CS, DS, ES, FS, GS, SS, FS_BASE, GS_BASE, KERNEL_GS_BASE -> false;
            default ->
                switch (register.group()) {
                    case SEGMENT, DESCRIPTOR_TABLE, CONTROL, DEBUG, MSR -> register != X86.PKRU;
                    case GENERAL, FPU, VECTOR -> false;
                };
        };
    }

    /** A type of named bits, given as {@code NAME:BIT NAME:BIT}. */
    private void flags(String name, int bytes, String bits) {
        xml.append("<flags id=\"").append(name).append("\" size=\"").append(bytes).append("\">\n");
        for (String bit : bits.split(" ", -1)) {
            int colon = bit.indexOf(':');
            String number = bit.substring(colon + 1);
            xml.append("<field name=\"").append(bit, 0, colon).append("\" start=\"").append(number);
            xml.append("\" end=\"").append(number).append("\"/>\n");
        }
        xml.append("</flags>\n");
    }
}
