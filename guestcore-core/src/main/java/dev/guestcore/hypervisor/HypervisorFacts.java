package dev.guestcore.hypervisor;

import java.util.Map;

/** Facts that only one hypervisor's dumps hold and that its own format needs for an identical way back. */
public sealed interface HypervisorFacts permits VirtualBoxFacts, XenFacts {

    /** The facts for people, in a sensible order: name of the fact, its value. */
    Map<String, String> describe();
}
