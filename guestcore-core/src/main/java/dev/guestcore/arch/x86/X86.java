package dev.guestcore.arch.x86;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.Register;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Registers of an x86 vCPU in any mode. A vCPU in 32-bit or 16-bit mode uses the low part of the same registers.
 *
 * <p>Segment attributes are bits 40..55 of the descriptor moved down by 8: type, S, DPL and P in bits 0..7, AVL, L, D and G
 * in bits 12..15; bit 16 means an unusable segment (Intel SDM volume 3, sections 3.4.5 and 24.4.1). {@link #FTW} is the
 * abridged tag byte of FXSAVE: one bit per x87 register, set where it is in use. {@link #FIP} and {@link #FDP} are the
 * eight bytes of the FXSAVE area, which in 32-bit form hold offset and selector. {@code zmmN} includes
 * {@code ymmN}, and that {@code xmmN}.
 */
public enum X86 implements Register {
    RAX("rax", 64, Group.GENERAL),
    RBX("rbx", 64, Group.GENERAL),
    RCX("rcx", 64, Group.GENERAL),
    RDX("rdx", 64, Group.GENERAL),
    RSI("rsi", 64, Group.GENERAL),
    RDI("rdi", 64, Group.GENERAL),
    RBP("rbp", 64, Group.GENERAL),
    RSP("rsp", 64, Group.GENERAL),
    R8("r8", 64, Group.GENERAL),
    R9("r9", 64, Group.GENERAL),
    R10("r10", 64, Group.GENERAL),
    R11("r11", 64, Group.GENERAL),
    R12("r12", 64, Group.GENERAL),
    R13("r13", 64, Group.GENERAL),
    R14("r14", 64, Group.GENERAL),
    R15("r15", 64, Group.GENERAL),
    RIP("rip", 64, Group.GENERAL),
    RFLAGS("rflags", 64, Group.GENERAL),

    CS("cs", 16, Group.SEGMENT),
    CS_BASE("cs.base", 64, Group.SEGMENT),
    CS_LIMIT("cs.limit", 32, Group.SEGMENT),
    CS_ATTRIBUTES("cs.attributes", 32, Group.SEGMENT),
    DS("ds", 16, Group.SEGMENT),
    DS_BASE("ds.base", 64, Group.SEGMENT),
    DS_LIMIT("ds.limit", 32, Group.SEGMENT),
    DS_ATTRIBUTES("ds.attributes", 32, Group.SEGMENT),
    ES("es", 16, Group.SEGMENT),
    ES_BASE("es.base", 64, Group.SEGMENT),
    ES_LIMIT("es.limit", 32, Group.SEGMENT),
    ES_ATTRIBUTES("es.attributes", 32, Group.SEGMENT),
    FS("fs", 16, Group.SEGMENT),
    FS_BASE("fs.base", 64, Group.SEGMENT),
    FS_LIMIT("fs.limit", 32, Group.SEGMENT),
    FS_ATTRIBUTES("fs.attributes", 32, Group.SEGMENT),
    GS("gs", 16, Group.SEGMENT),
    GS_BASE("gs.base", 64, Group.SEGMENT),
    GS_LIMIT("gs.limit", 32, Group.SEGMENT),
    GS_ATTRIBUTES("gs.attributes", 32, Group.SEGMENT),
    SS("ss", 16, Group.SEGMENT),
    SS_BASE("ss.base", 64, Group.SEGMENT),
    SS_LIMIT("ss.limit", 32, Group.SEGMENT),
    SS_ATTRIBUTES("ss.attributes", 32, Group.SEGMENT),

    GDTR_BASE("gdtr.base", 64, Group.DESCRIPTOR_TABLE),
    GDTR_LIMIT("gdtr.limit", 32, Group.DESCRIPTOR_TABLE),
    IDTR_BASE("idtr.base", 64, Group.DESCRIPTOR_TABLE),
    IDTR_LIMIT("idtr.limit", 32, Group.DESCRIPTOR_TABLE),
    LDTR("ldtr", 16, Group.DESCRIPTOR_TABLE),
    LDTR_BASE("ldtr.base", 64, Group.DESCRIPTOR_TABLE),
    LDTR_LIMIT("ldtr.limit", 32, Group.DESCRIPTOR_TABLE),
    LDTR_ATTRIBUTES("ldtr.attributes", 32, Group.DESCRIPTOR_TABLE),
    TR("tr", 16, Group.DESCRIPTOR_TABLE),
    TR_BASE("tr.base", 64, Group.DESCRIPTOR_TABLE),
    TR_LIMIT("tr.limit", 32, Group.DESCRIPTOR_TABLE),
    TR_ATTRIBUTES("tr.attributes", 32, Group.DESCRIPTOR_TABLE),

    CR0("cr0", 64, Group.CONTROL),
    CR2("cr2", 64, Group.CONTROL),
    CR3("cr3", 64, Group.CONTROL),
    CR4("cr4", 64, Group.CONTROL),
    CR8("cr8", 64, Group.CONTROL),
    XCR0("xcr0", 64, Group.CONTROL),
    XCR1("xcr1", 64, Group.CONTROL),

    DR0("dr0", 64, Group.DEBUG),
    DR1("dr1", 64, Group.DEBUG),
    DR2("dr2", 64, Group.DEBUG),
    DR3("dr3", 64, Group.DEBUG),
    DR4("dr4", 64, Group.DEBUG),
    DR5("dr5", 64, Group.DEBUG),
    DR6("dr6", 64, Group.DEBUG),
    DR7("dr7", 64, Group.DEBUG),

    EFER("efer", 64, Group.MSR),
    STAR("star", 64, Group.MSR),
    LSTAR("lstar", 64, Group.MSR),
    CSTAR("cstar", 64, Group.MSR),
    SFMASK("sfmask", 64, Group.MSR),
    KERNEL_GS_BASE("kernel_gs_base", 64, Group.MSR),
    PAT("pat", 64, Group.MSR),
    SYSENTER_CS("sysenter_cs", 64, Group.MSR),
    SYSENTER_ESP("sysenter_esp", 64, Group.MSR),
    SYSENTER_EIP("sysenter_eip", 64, Group.MSR),
    APIC_BASE("apic_base", 64, Group.MSR),
    TSC_AUX("tsc_aux", 64, Group.MSR),

    FCW("fcw", 16, Group.FPU),
    FSW("fsw", 16, Group.FPU),
    FTW("ftw", 8, Group.FPU),
    FOP("fop", 16, Group.FPU),
    FIP("fip", 64, Group.FPU),
    FDP("fdp", 64, Group.FPU),
    ST0("st0", 80, Group.FPU),
    ST1("st1", 80, Group.FPU),
    ST2("st2", 80, Group.FPU),
    ST3("st3", 80, Group.FPU),
    ST4("st4", 80, Group.FPU),
    ST5("st5", 80, Group.FPU),
    ST6("st6", 80, Group.FPU),
    ST7("st7", 80, Group.FPU),

    MXCSR("mxcsr", 32, Group.VECTOR),
    MXCSR_MASK("mxcsr_mask", 32, Group.VECTOR),
    XMM0("xmm0", 128, Group.VECTOR),
    XMM1("xmm1", 128, Group.VECTOR),
    XMM2("xmm2", 128, Group.VECTOR),
    XMM3("xmm3", 128, Group.VECTOR),
    XMM4("xmm4", 128, Group.VECTOR),
    XMM5("xmm5", 128, Group.VECTOR),
    XMM6("xmm6", 128, Group.VECTOR),
    XMM7("xmm7", 128, Group.VECTOR),
    XMM8("xmm8", 128, Group.VECTOR),
    XMM9("xmm9", 128, Group.VECTOR),
    XMM10("xmm10", 128, Group.VECTOR),
    XMM11("xmm11", 128, Group.VECTOR),
    XMM12("xmm12", 128, Group.VECTOR),
    XMM13("xmm13", 128, Group.VECTOR),
    XMM14("xmm14", 128, Group.VECTOR),
    XMM15("xmm15", 128, Group.VECTOR),
    YMM0("ymm0", 256, Group.VECTOR),
    YMM1("ymm1", 256, Group.VECTOR),
    YMM2("ymm2", 256, Group.VECTOR),
    YMM3("ymm3", 256, Group.VECTOR),
    YMM4("ymm4", 256, Group.VECTOR),
    YMM5("ymm5", 256, Group.VECTOR),
    YMM6("ymm6", 256, Group.VECTOR),
    YMM7("ymm7", 256, Group.VECTOR),
    YMM8("ymm8", 256, Group.VECTOR),
    YMM9("ymm9", 256, Group.VECTOR),
    YMM10("ymm10", 256, Group.VECTOR),
    YMM11("ymm11", 256, Group.VECTOR),
    YMM12("ymm12", 256, Group.VECTOR),
    YMM13("ymm13", 256, Group.VECTOR),
    YMM14("ymm14", 256, Group.VECTOR),
    YMM15("ymm15", 256, Group.VECTOR),
    K0("k0", 64, Group.VECTOR),
    K1("k1", 64, Group.VECTOR),
    K2("k2", 64, Group.VECTOR),
    K3("k3", 64, Group.VECTOR),
    K4("k4", 64, Group.VECTOR),
    K5("k5", 64, Group.VECTOR),
    K6("k6", 64, Group.VECTOR),
    K7("k7", 64, Group.VECTOR),
    ZMM0("zmm0", 512, Group.VECTOR),
    ZMM1("zmm1", 512, Group.VECTOR),
    ZMM2("zmm2", 512, Group.VECTOR),
    ZMM3("zmm3", 512, Group.VECTOR),
    ZMM4("zmm4", 512, Group.VECTOR),
    ZMM5("zmm5", 512, Group.VECTOR),
    ZMM6("zmm6", 512, Group.VECTOR),
    ZMM7("zmm7", 512, Group.VECTOR),
    ZMM8("zmm8", 512, Group.VECTOR),
    ZMM9("zmm9", 512, Group.VECTOR),
    ZMM10("zmm10", 512, Group.VECTOR),
    ZMM11("zmm11", 512, Group.VECTOR),
    ZMM12("zmm12", 512, Group.VECTOR),
    ZMM13("zmm13", 512, Group.VECTOR),
    ZMM14("zmm14", 512, Group.VECTOR),
    ZMM15("zmm15", 512, Group.VECTOR),
    ZMM16("zmm16", 512, Group.VECTOR),
    ZMM17("zmm17", 512, Group.VECTOR),
    ZMM18("zmm18", 512, Group.VECTOR),
    ZMM19("zmm19", 512, Group.VECTOR),
    ZMM20("zmm20", 512, Group.VECTOR),
    ZMM21("zmm21", 512, Group.VECTOR),
    ZMM22("zmm22", 512, Group.VECTOR),
    ZMM23("zmm23", 512, Group.VECTOR),
    ZMM24("zmm24", 512, Group.VECTOR),
    ZMM25("zmm25", 512, Group.VECTOR),
    ZMM26("zmm26", 512, Group.VECTOR),
    ZMM27("zmm27", 512, Group.VECTOR),
    ZMM28("zmm28", 512, Group.VECTOR),
    ZMM29("zmm29", 512, Group.VECTOR),
    ZMM30("zmm30", 512, Group.VECTOR),
    ZMM31("zmm31", 512, Group.VECTOR),
    PKRU("pkru", 32, Group.CONTROL);

    private static final Map<String, X86> BY_LABEL =
            Stream.of(values()).collect(Collectors.toUnmodifiableMap(X86::label, Function.identity()));

    private final String label;
    private final int bits;
    private final Group group;

    X86(String label, int bits, Group group) {
        this.label = label;
        this.bits = bits;
        this.group = group;
    }

    @Override
    public String label() {
        return label;
    }

    @Override
    public int bits() {
        return bits;
    }

    @Override
    public Group group() {
        return group;
    }

    @Override
    public Architecture architecture() {
        return X86Architecture.INSTANCE;
    }

    /** The register of that lower-case name. */
    public static Optional<X86> ofLabel(String label) {
        return Optional.ofNullable(BY_LABEL.get(label));
    }

    /** The x87 register {@code st(number)}. */
    public static X86 st(int number) {
        return values()[ST0.ordinal() + checked(number, 8)];
    }

    /** The SSE register {@code xmm(number)}. */
    public static X86 xmm(int number) {
        return values()[XMM0.ordinal() + checked(number, 16)];
    }

    /** The AVX register {@code ymm(number)}. */
    public static X86 ymm(int number) {
        return values()[YMM0.ordinal() + checked(number, 16)];
    }

    /** The AVX-512 mask register {@code k(number)}. */
    public static X86 opmask(int number) {
        return values()[K0.ordinal() + checked(number, 8)];
    }

    /** The AVX-512 register {@code zmm(number)}. */
    public static X86 zmm(int number) {
        return values()[ZMM0.ordinal() + checked(number, 32)];
    }

    /** Whether it belongs to a part of the extended state that came after AVX: AVX-512 and protection keys. */
    public boolean isBeyondAvx() {
        return ordinal() >= K0.ordinal();
    }

    /** The general register that instructions encode as {@code number}: rax rcx rdx rbx rsp rbp rsi rdi r8 ... r15. */
    public static X86 general(int number) {
        return switch (checked(number, 16)) {
            case 0 -> RAX;
            case 1 -> RCX;
            case 2 -> RDX;
            case 3 -> RBX;
            case 4 -> RSP;
            case 5 -> RBP;
            case 6 -> RSI;
            case 7 -> RDI;
            default -> values()[R8.ordinal() + number - 8];
        };
    }

    private static int checked(int number, int count) {
        if (number < 0 || number >= count) {
            throw new IllegalArgumentException("no register number " + number);
        }
        return number;
    }
}
