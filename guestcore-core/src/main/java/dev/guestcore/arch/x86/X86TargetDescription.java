package dev.guestcore.arch.x86;

import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TargetDescription;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Function;

/**
 * The registers that a client gets, in the order of their numbers, and the XML that tells it so (GDB manual, appendix
 * "Target Descriptions", "i386 Features"). The standard features have the registers and types that gdb demands; those
 * that no standard feature has are in {@code dev.guestcore.x86.system}, under the names that QEMU gives them where it
 * has them. Immutable.
 */
final class X86TargetDescription {

    /** Registers under QEMU's names; a client always gets them, known or not. */
    private static final List<X86> CONTROL = List.of(X86.CR0, X86.CR2, X86.CR3, X86.CR4, X86.CR8, X86.EFER);

    private final boolean wide;
    private final List<RegisterState> vcpus;
    private final TargetDescription.Builder builder;

    private X86TargetDescription(List<RegisterState> vcpus, boolean wide) {
        this.vcpus = vcpus;
        this.wide = wide;
        this.builder = TargetDescription.of(
                wide ? "i386:x86-64" : "i386",
                wide ? "x86_64-unknown-unknown" : "i386-unknown-unknown",
                wide ? Long.SIZE : Integer.SIZE,
                ByteOrder.LITTLE_ENDIAN);
        core();
        sse();
        if (know(X86.YMM0)) {
            avx();
            if (know(X86.K0)) {
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
        if (know(X86.PKRU)) {
            begin("org.gnu.gdb.i386.pkeys");
            plain("pkru", X86.PKRU, "uint32");
            end();
        }
        system();
    }

    private boolean know(X86 register) {
        return vcpus.stream().anyMatch(vcpu -> vcpu.knows(register));
    }

    /** The description for vCPUs: 64-bit unless it is said or known that none is in long mode. */
    static TargetDescription of(List<RegisterState> vcpus, OptionalInt addressBits) {
        boolean wide = addressBits.isPresent()
                ? addressBits.getAsInt() == Long.SIZE
                : vcpus.stream().anyMatch(vcpu -> X86Mode.of(vcpu).width() != X86Mode.Width.LEGACY);
        return new X86TargetDescription(vcpus, wide).builder.build();
    }

    private void begin(String feature) {
        builder.begin(feature);
    }

    private void end() {
        builder.end();
    }

    private void flags(String name, int bytes, String bits) {
        builder.flags(name, bytes, bits);
    }

    private void register(
            String name, int bits, String type, String group, Function<RegisterState, Optional<byte[]>> value) {
        builder.register(name, bits, type, group, value);
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
        register(name, register.bits(), type, "", TargetDescription.valueOf(register));
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
            register(name, width, pointer ? "data_ptr" : "int" + width, "", TargetDescription.valueOf(register));
        }
        for (int i = 8; wide && i < 16; i++) {
            register("r" + i, width, "int64", "", TargetDescription.valueOf(X86.general(i)));
        }
        register(wide ? "rip" : "eip", width, "code_ptr", "", TargetDescription.valueOf(X86.RIP));
        register("eflags", Integer.SIZE, "i386_eflags", "", TargetDescription.valueOf(X86.RFLAGS));
        for (X86 selector : List.of(X86.CS, X86.SS, X86.DS, X86.ES, X86.FS, X86.GS)) {
            register(selector.label(), Integer.SIZE, "int32", "", TargetDescription.valueOf(selector));
        }
        for (int i = 0; i < 8; i++) {
            register("st" + i, 80, "i387_ext", "", TargetDescription.valueOf(X86.st(i)));
        }
        x87("fctrl", TargetDescription.valueOf(X86.FCW));
        x87("fstat", TargetDescription.valueOf(X86.FSW));
        x87("ftag", registers -> X87Tags.areKnown(registers)
                ? Optional.of(bytes(X87Tags.word(registers)))
                : Optional.empty());
        x87("fiseg", number(X86.FIP, registers -> registers.get(X86.FIP) >>> 32 & 0xffff));
        x87("fioff", number(X86.FIP, registers -> registers.get(X86.FIP)));
        x87("foseg", number(X86.FDP, registers -> registers.get(X86.FDP) >>> 32 & 0xffff));
        x87("fooff", number(X86.FDP, registers -> registers.get(X86.FDP)));
        x87("fop", TargetDescription.valueOf(X86.FOP));
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
            register(xmm.label(), 128, "vec128", "", registers -> registers.knows(xmm)
                    ? Optional.of(registers.bytes(xmm)) : TargetDescription.valueOf(ymm).apply(registers));
        }
        register("mxcsr", Integer.SIZE, "i386_mxcsr", "vector", TargetDescription.valueOf(X86.MXCSR));
        end();
    }

    /** A feature knows its own types only. */
    private void vectorTypes() {
        builder.types("""
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
        builder.types("<vector id=\"v2ui128\" type=\"uint128\" count=\"2\"/>\n");
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
            if (isRest(register) && know(register)) {
                systemRegister(register.label().replace('.', '_'), register, "uint" + register.bits());
            }
        }
        end();
    }

    private void systemRegister(String name, X86 register, String type) {
        register(name, register.bits(), type, "system", TargetDescription.valueOf(register));
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
}
