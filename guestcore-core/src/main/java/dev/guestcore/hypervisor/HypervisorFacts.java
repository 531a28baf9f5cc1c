package dev.guestcore.hypervisor;

import java.util.Map;

/** Facts that not every dump holds and that a format needs for the way back. */
public sealed interface HypervisorFacts permits VirtualBoxFacts, XenFacts, ElfFacts, VmcoreInfoFacts {

    /** The facts for people, in a sensible order: name of the fact, its value. */
    Map<String, String> describe();
}
