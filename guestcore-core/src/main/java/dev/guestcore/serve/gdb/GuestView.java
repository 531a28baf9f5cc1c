package dev.guestcore.serve.gdb;

import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.Vcpu;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.cpu.UnknownRegisterException;
import dev.guestcore.kernel.AddressSpaceChoice;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What one client looks at: which vCPU, and memory as that vCPU sees it or guest-physical. Not thread-safe. */
final class GuestView {

    /** An address space keeps up to 2 MiB of page tables, and there may be several clients. */
    private static final int MOST_SPACES = 4;

    private final Guest guest;
    private final TranslationOptions stated;
    private final Optional<AddressSpaceChoice> known;
    private final List<Vcpu> vcpus;
    private final Map<Integer, AddressSpace> spaces = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Integer, AddressSpace> eldest) {
            return size() > MOST_SPACES;
        }
    };
    private int selected;
    private boolean physical;

    GuestView(Guest guest, TranslationOptions stated, Optional<AddressSpaceChoice> known) {
        this.guest = guest;
        this.stated = stated;
        this.known = known;
        // A debugger needs a thread to look at anything; a dump of memory alone gets one of which nothing is known.
        this.vcpus = hasRegisters(guest) ? guest.vcpus() : List.of(new Vcpu(0, RegisterState.unknown()));
        this.physical = known.isEmpty()
                && (!hasRegisters(guest) || guest.architecture().pagingModes().isEmpty());
    }

    private static boolean hasRegisters(Guest guest) {
        return !guest.vcpus().isEmpty();
    }

    Guest guest() {
        return guest;
    }

    /** The processor that the client is told of. */
    Architecture architecture() {
        return guest.architecture() == Architecture.UNKNOWN
                ? known.map(choice -> choice.space().paging().mode().architecture()).orElse(Architecture.UNKNOWN)
                : guest.architecture();
    }

    List<Vcpu> vcpus() {
        return vcpus;
    }

    /** Number of the vCPU that is looked at, from 0. */
    int selected() {
        return selected;
    }

    void select(int number) {
        selected = number;
    }

    Vcpu vcpu() {
        return vcpus.get(selected);
    }

    boolean isPhysical() {
        return physical;
    }

    void setPhysical(boolean guestPhysical) {
        physical = guestPhysical;
    }

    /**
     * The address space of the vCPU that is looked at.
     *
     * @throws dev.guestcore.error.GuestcoreException if the source does not say how it translates
     */
    AddressSpace space() {
        AddressSpace space = spaces.get(selected);
        if (space == null) {
            space = find();
            spaces.put(selected, space);
        }
        return space;
    }

    private AddressSpace find() {
        try {
            return AddressSpace.of(guest, vcpu(), stated);
        } catch (UnknownRegisterException e) {
            return known.map(AddressSpaceChoice::space).orElseThrow(() -> e);
        }
    }

    /** On what addresses rely beside registers. */
    Optional<String> basis() {
        return known.flatMap(AddressSpaceChoice::basis);
    }

    /** The memory that is looked at. */
    GuestMemory memory() {
        return physical ? guest.memory() : space().memory();
    }
}
