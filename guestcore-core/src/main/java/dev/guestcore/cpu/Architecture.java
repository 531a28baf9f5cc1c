package dev.guestcore.cpu;

import java.nio.ByteOrder;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A family of processors: how it is called, and what is known of it. There is one object for each, so that they are compared
 * with {@code ==}; {@code dev.guestcore.arch.Architectures} has them all. What an architecture does not know of itself
 * is empty, and whoever asks then says so. Immutable.
 */
public interface Architecture {

    /**
     * Bytes of the smallest page that any of them has. What looks at memory piece by piece, whatever the processor, takes
     * pieces of this size: pages of every guest are multiples of it.
     */
    int SMALLEST_PAGE = 4096;

    /** That of a guest whose source does not tell it: its memory can be read. */
    Architecture UNKNOWN = new UnknownArchitecture();

    /** Short lower-case name, as our files have it ("x86", "arm64"). */
    String name();

    /** What people call it ("x86", "AArch64"). */
    String title();

    /** How ELF files and Linux name it; the first is the usual one. Empty for {@link #UNKNOWN}. */
    List<ElfMachine> machines();

    /**
     * How Linux calls it where it runs in that byte order ({@code uname -m}), with 64 bits if it has both widths; empty if
     * that is not known.
     */
    default Optional<String> linuxName(ByteOrder order) {
        return Optional.empty();
    }

    /** How many bits an address has, 32 or 64; empty where both are the same family, as for x86. */
    default OptionalInt addressBits() {
        return OptionalInt.empty();
    }

    /** Byte order; empty if the family has both. */
    default Optional<ByteOrder> byteOrder() {
        return Optional.empty();
    }

    /** Bytes of a page, a power of two: what operating systems use unless a dump says otherwise. */
    default int pageSize() {
        return SMALLEST_PAGE;
    }

    /** All registers that have a name here, in the order in which they are shown; empty if none is known. */
    default List<Register> registers() {
        return List.of();
    }

    /** The register of that lower-case name. */
    default Optional<Register> register(String label) {
        return registers().stream()
                .filter(register -> register.label().equals(label))
                .findFirst();
    }

    /** The register that says where a vCPU is. */
    default Optional<Register> instructionPointer() {
        return Optional.empty();
    }

    /**
     * How NT_PRSTATUS is laid out in a core of that machine; empty if it is not known, and then the note is kept as it is.
     *
     * @param machine one of {@link #machines}
     */
    default Optional<StatusLayout> status(ElfMachine machine) {
        return Optional.empty();
    }

    /** The other notes of cores that hold registers of a vCPU, in the order in which they are written. */
    default List<RegisterNote> notes() {
        return List.of();
    }

    /** The layout of an NT_PRSTATUS note of that many bytes: that which has most registers in it. */
    default Optional<StatusLayout> statusOfSize(int bytes) {
        return machines().stream()
                .flatMap(machine -> status(machine).stream())
                .filter(layout -> layout.registersEnd() <= bytes)
                .max(Comparator.comparingInt(StatusLayout::registersEnd));
    }

    /** The mode of a vCPU, for people ({@code 64-bit ring 0}); {@code mode unknown} if its registers do not tell. */
    default String mode(RegisterState registers) {
        return "mode unknown";
    }

    /** Where a vCPU is, as its mode has it, for people ({@code rip 0xffffffff81000000}); empty if it is not known. */
    default String position(RegisterState registers) {
        return "";
    }

    /** The register with the root of the page tables, for people ({@code cr3 0x1000}); empty if the processor has none. */
    default String root(RegisterState registers) {
        return "";
    }

    /** The paging modes that a user may state; empty if page tables of this family are not known. */
    default List<PagingMode> pagingModes() {
        return List.of();
    }

    /**
     * The rules by which a vCPU translates; empty if page tables of this family are not known.
     *
     * @param all the guest's vCPUs, which may show what the registers of {@code vcpu} leave open
     * @param stated what counts before registers; its mode is one of {@link #pagingModes}
     * @throws UnknownRegisterException if neither registers nor what is stated tell enough
     * @throws dev.guestcore.error.GuestcoreException if registers contradict each other
     */
    default Optional<Paging> paging(Processor vcpu, List<? extends Processor> all, TranslationOptions stated) {
        return Optional.empty();
    }

    /**
     * Page tables that a kernel of this family may have as its own, as it says in VMCOREINFO; the likeliest first.
     *
     * @param numbers what it says
     */
    default List<KernelRoot> kernelRoots(KernelNumbers numbers) {
        return List.of();
    }

    /**
     * The registers as a debugger gets them; empty if debuggers know this family under no name that is known here.
     *
     * @param vcpus registers of all vCPUs: what none of them knows may be left out
     * @param order byte order of the guest
     * @param addressBits width of an address where the source says it, 32 or 64
     */
    default Optional<TargetDescription> targetDescription(
            List<RegisterState> vcpus, ByteOrder order, OptionalInt addressBits) {
        return Optional.empty();
    }

    /** Mode and position in one line. */
    default String describe(RegisterState registers) {
        String position = position(registers);
        return position.isEmpty() ? "registers unknown" : mode(registers) + ", " + position;
    }

    /** Why registers cannot be true together, and which of them is believed; empty if they can. */
    default Optional<String> contradiction(RegisterState registers) {
        return Optional.empty();
    }

    /** Whether a guest of this architecture may turn out to be one of {@code other}: it is, or nobody knows. */
    default boolean mayBe(Architecture other) {
        return this == other || this == UNKNOWN;
    }
}
