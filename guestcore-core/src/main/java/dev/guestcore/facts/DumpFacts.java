package dev.guestcore.facts;

import java.util.Map;

/** Facts that only some dumps have, and that are needed to write that format again. */
public sealed interface DumpFacts permits VirtualBoxFacts, XenFacts, ElfFacts, VmcoreInfoFacts {

    /** The facts for people, in a sensible order: name of the fact, its value. */
    Map<String, String> describe();
}
