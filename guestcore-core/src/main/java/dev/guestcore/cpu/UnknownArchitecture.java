package dev.guestcore.cpu;

import java.util.List;

/** Nothing is known. */
final class UnknownArchitecture implements Architecture {

    @Override
    public String name() {
        return "unknown";
    }

    @Override
    public String title() {
        return "unknown processor";
    }

    @Override
    public List<ElfMachine> machines() {
        return List.of();
    }

    @Override
    public String toString() {
        return name();
    }
}
