package dev.guestcore.internal.writer;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.Vcpu;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.arch.x86.X86Mode;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.format.Loss;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Registers for a structure that cannot say "unknown": what a source does not know is written as zero there, and a zero in
 * EFER or CR0 would put a 64-bit guest into another mode. Such registers get the bits that the known ones imply.
 */
public final class ImpliedRegisters {

    private static final long EFER_NXE = 1L << 11;

    /** Enough to meet the kernel's data, where there is any. */
    private static final long MOST_TABLES = 256;

    /** Processors of one guest share their setting; the first have tables if any has. */
    private static final int MOST_TRIES = 4;

    private static final AddressRange EVERYWHERE = new AddressRange(0, -1L);

    private final Guest guest;
    private final Set<? extends Register> places;
    /** What is implied, by vCPU. */
    private final Map<Vcpu, RegisterState> implied = new IdentityHashMap<>();

    private ImpliedRegisters(Guest guest, Set<? extends Register> places) {
        this.guest = guest;
        this.places = places;
        if (!guest.architecture().mayBe(Architectures.X86)) {
            return;
        }
        List<Vcpu> lacking = new ArrayList<>();
        for (Vcpu vcpu : guest.vcpus()) {
            RegisterState.Builder held =
                    X86Mode.of(vcpu, guest.vcpus()).implied(vcpu.registers()).toBuilder();
            held.build().known().stream().filter(register -> !places.contains(register)).forEach(held::forget);
            RegisterState registers = held.build();
            implied.put(vcpu, registers);
            if (registers.knows(X86.EFER)) {
                lacking.add(vcpu);
            }
        }
        if (lacking.stream().limit(MOST_TRIES).anyMatch(vcpu -> forbidsExecution(guest, vcpu))) {
            lacking.forEach(vcpu -> implied.computeIfPresent(vcpu, (key, registers) -> registers.toBuilder()
                    .set(X86.EFER, registers.get(X86.EFER) | EFER_NXE)
                    .build()));
        }
    }

    /**
     * What the registers of a guest imply. For EFER a few of its page tables are read.
     *
     * @param places the registers that the structure has a place for and no way to call unknown
     */
    public static ImpliedRegisters of(Guest guest, Set<? extends Register> places) {
        return new ImpliedRegisters(guest, places);
    }

    /** A vCPU with what is known of its registers, and what that implies. */
    public Vcpu complete(Vcpu vcpu) {
        RegisterState missing = implied.getOrDefault(vcpu, RegisterState.unknown());
        RegisterState all = vcpu.registers().toBuilder().setAll(missing).build();
        return new Vcpu(vcpu.index(), all, vcpu.rawContexts());
    }

    /** Whether page tables use the bit that is reserved unless EFER.NXE is set. */
    private static boolean forbidsExecution(Guest guest, Vcpu vcpu) {
        boolean[] found = {false};
        try {
            AddressSpace.of(guest, vcpu).mappings(EVERYWHERE, MOST_TABLES, mapping -> {
                if (!mapping.rights().executable()) {
                    found[0] = true;
                    throw new Found();
                }
            });
        } catch (Found e) {
            return found[0];
        } catch (GuestcoreException e) {
            // Without page tables nothing is implied.
            return false;
        }
        return false;
    }

    /** Ends the walk. */
    private static final class Found extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Found() {
            super(null, null, false, false);
        }
    }

    /**
     * What a target writes that its source does not know.
     *
     * @param written whether a vCPU's structure is made anew, from registers alone
     * @param format names the structure in the report ("a VMCore")
     * @param keepable whether a record of our own says that they were unknown
     */
    public List<Loss> losses(Predicate<Vcpu> written, String format, boolean keepable) {
        List<Vcpu> vcpus = guest.vcpus().stream().filter(written).toList();
        Map<Register.Group, Set<Register>> zeros = new EnumMap<>(Register.Group.class);
        for (Register register : NamedProcessor.of(guest).registers()) {
            if (register.bits() <= 128
                    && !(register instanceof X86 x86 && x86.isBeyondAvx())
                    && places.contains(register)
                    && vcpus.stream().anyMatch(vcpu -> isZero(vcpu, register))) {
                zeros.computeIfAbsent(register.group(), group -> new LinkedHashSet<>())
                        .add(register);
            }
        }
        List<Loss> losses = new ArrayList<>();
        zeros.forEach((group, registers) -> losses.add(new Loss(
                "that the source does not know " + names(registers),
                group == Register.Group.FPU || group == Register.Group.VECTOR
                        ? format + " cannot say unknown: zero, control words as after FNINIT if others are known"
                        : format + " cannot say unknown: written as zero",
                keepable)));
        vcpus.stream()
                .flatMap(vcpu -> concluded(vcpu, format, keepable))
                .distinct()
                .forEach(losses::add);
        return losses;
    }

    private boolean isZero(Vcpu vcpu, Register register) {
        return !complete(vcpu).registers().knows(register) && !isPartOfKnown(vcpu, register);
    }

    private Stream<Loss> concluded(Vcpu vcpu, String format, boolean keepable) {
        RegisterState missing = implied.getOrDefault(vcpu, RegisterState.unknown());
        if (missing.known().isEmpty()) {
            return Stream.empty();
        }
        String how = X86Mode.of(vcpu, guest.vcpus()).how();
        return missing.known().stream()
                .map(register -> new Loss(
                        "that the source does not know register " + register.label(),
                        format + " cannot say unknown: " + missing.hex(register)
                                + " is written, derived from the mode of the vCPU (" + how
                                + "); its other bits are not known",
                        keepable));
    }

    private static boolean isPartOfKnown(Vcpu vcpu, Register register) {
        return register.label().startsWith("xmm")
                && X86.ofLabel("y" + register.label().substring(1))
                        .filter(wide -> vcpu.registers().knows(wide))
                        .isPresent();
    }

    private static String names(Set<Register> registers) {
        return (registers.size() == 1 ? "register " : "registers ")
                + registers.stream().map(Register::label).collect(Collectors.joining(", "));
    }
}
