package dev.guestcore.hypervisor;

import java.util.Map;

/** Facts that only some dumps have, and that are needed to write that format again. */
public sealed interface HypervisorFacts permits VirtualBoxFacts, XenFacts, ElfFacts, VmcoreInfoFacts {

    /** The facts for people, in a sensible order: name of the fact, its value. */
    Map<String, String> describe();
}
