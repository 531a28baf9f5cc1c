package dev.guestcore.source.described;

import dev.guestcore.error.SourceException;
import dev.guestcore.source.GuestSource;
import dev.guestcore.source.SourceProvider;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/** Opens {@code file:guest.json}, a guest that a JSON file describes. */
public final class DescribedProvider implements SourceProvider {

    /** For {@link java.util.ServiceLoader}. */
    public DescribedProvider() {}

    @Override
    public String scheme() {
        return "file";
    }

    @Override
    public String help() {
        return "file:GUEST.json  a guest that a JSON file describes: regions, contents, registers, hypervisor facts";
    }

    @Override
    public GuestSource connect(String locator) {
        try {
            return new DescribedSource(DescriptionReader.read(Path.of(locator)));
        } catch (InvalidPathException e) {
            throw new SourceException("file:" + locator + ": is not a path: " + e.getMessage(), e);
        }
    }
}
