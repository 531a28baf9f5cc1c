package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.Vcpu;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.EncryptionBitException;
import dev.guestcore.cpu.UnknownRegisterException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.Locations;
import dev.guestcore.internal.text.Names;
import dev.guestcore.kernel.AddressSpaceChoice;
import dev.guestcore.kernel.Derived;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The options that say through which page tables virtual addresses are seen. */
final class AddressSpaceOptions {

    @Option(
            names = "--cpu",
            paramLabel = "<number>",
            description = "See virtual addresses as this vCPU does, counted from 0. Default: 0.")
    @Nullable
    Integer cpu;

    @Mixin
    PageTableOptions tables = new PageTableOptions();

    /**
     * Refuses what makes no sense before anything is opened.
     *
     * @param virtual whether the command is about virtual addresses at all
     */
    void check(Verb verb, boolean virtual) {
        if ((cpu != null || tables.isGiven()) && !virtual) {
            throw verb.usage("--cpu, --root, --paging, --c-bit and --physical-bits need --virtual");
        }
        tables.check(verb);
    }

    /**
     * The address space that the user means, or that of the kernel where the vCPU's registers do not lead to one; says on
     * standard error on what that relies.
     */
    AddressSpace of(Guest guest, String source, Verb verb) {
        AddressSpaceChoice choice = choose(guest, source, verb);
        remark(choice, "", verb);
        return choice.space();
    }

    private AddressSpaceChoice choose(Guest guest, String source, Verb verb) {
        return choose(guest, vcpu(guest, source), tables, source, verb);
    }

    /** The choice for a vCPU, or for the kernel of a memory without vCPUs; says in an error which option helps. */
    static AddressSpaceChoice choose(
            Guest guest, Optional<Vcpu> vcpu, PageTableOptions tables, String source, Verb verb) {
        try (ShownProgress shown = verb.progress(ProgressMode.AUTO)) {
            return AddressSpaceChoice.of(guest, vcpu, tables.stated(), shown);
        } catch (UnknownRegisterException e) {
            throw new UnsupportedRequestException(
                    Locations.printable(source) + ": " + e.getMessage() + ", with " + switch (e.missing()) {
                        case ROOT -> "--root";
                        case KERNEL_ROOT -> "--kernel-root";
                        case MODE -> "--paging";
                    });
        } catch (EncryptionBitException e) {
            throw new UnsupportedRequestException(
                    Locations.printable(source) + ": " + e.getMessage() + ", with --c-bit " + e.bit());
        }
    }

    /** The same for a command whose result says how it translates, see {@code Paging.how()}. */
    AddressSpace shown(Guest guest, String source, Verb verb) {
        AddressSpaceChoice choice = choose(guest, source, verb);
        remark(choice, choice.space().paging().how(), verb);
        return choice.space();
    }

    /**
     * On what a choice relies, as a remark beside the result.
     *
     * @param said what the result says already
     */
    static void remark(AddressSpaceChoice choice, String said, Verb verb) {
        choice.basis().filter(basis -> !said.equals(basis))
                .ifPresent(basis -> verb.remark("guestcore: " + Printable.of(basis)
                        + (choice.confidence() == Derived.Confidence.CERTAIN ? ""
                                : " (" + Names.of(choice.confidence()) + ")")));
    }

    private Optional<Vcpu> vcpu(Guest guest, String source) {
        return cpu == null && guest.vcpus().isEmpty()
                ? Optional.empty()
                : Optional.of(Vcpus.numbered(cpu == null ? 0 : cpu, guest.vcpus(), source));
    }
}
