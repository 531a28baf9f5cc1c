package dev.guestcore.source.described;

import dev.guestcore.GuestMemory;
import dev.guestcore.Provenance;
import dev.guestcore.Vcpu;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.facts.VirtualBoxFacts;
import dev.guestcore.facts.XenFacts;
import java.util.List;
import java.util.Optional;

/**
 * What a description says.
 *
 * @param file name of the description
 * @param files those that it takes bytes from, open as long as the description is used
 */
record Description(
        String file,
        Architecture architecture,
        Provenance provenance,
        GuestMemory memory,
        Optional<GuestMemory> machineMemory,
        List<Vcpu> vcpus,
        Optional<VirtualBoxFacts> virtualBox,
        Optional<XenFacts> xen,
        DescriptionFiles files) {}
