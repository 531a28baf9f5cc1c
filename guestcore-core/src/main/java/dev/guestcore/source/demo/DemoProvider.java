package dev.guestcore.source.demo;

import dev.guestcore.source.GuestSource;
import dev.guestcore.source.SourceProvider;

/** Opens {@code demo:}, the embedded guest. Every connection is a machine of its own, which ends with it. */
public final class DemoProvider implements SourceProvider {

    /** For {@link java.util.ServiceLoader}. */
    public DemoProvider() {}

    @Override
    public String scheme() {
        return "demo";
    }

    @Override
    public String help() {
        return "demo:[OPTION,...]  a small running guest inside this process; options " + DemoOptions.KNOWN;
    }

    @Override
    public GuestSource connect(String locator) {
        return DemoMachine.start(locator);
    }
}
