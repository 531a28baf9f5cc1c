package dev.guestcore.file;

import dev.guestcore.error.SourceException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Where files are, as users type it: paths of this machine, and addresses of files elsewhere. */
public final class Locations {

    private static final Pattern ADDRESS = Pattern.compile("([A-Za-z][A-Za-z0-9+.-]*)://.*", Pattern.DOTALL);

    /** A name with a password, which is up to the last @ of what stands before the first slash. */
    private static final Pattern USER = Pattern.compile("(?<=://)[^/?#,\\s]*@(?![0-9a-zA-Z]*(,|$))");

    /**
     * What follows a question mark, where presigned addresses have their signature; up to the base address of a part, the
     * next part, or the end.
     */
    private static final Pattern QUERY = Pattern.compile(
            "(://[^?#]*)[?#].*?(?=(@[0-9][0-9A-Za-z]*)?(,[A-Za-z][A-Za-z0-9+.-]*://|$))", Pattern.DOTALL);

    private static final List<ByteStore> STORES =
            ServiceLoader.load(ByteStore.class, Locations.class.getClassLoader()).stream()
                    .map(ServiceLoader.Provider::get)
                    .toList();

    private Locations() {}

    /** All places elsewhere that files can be read from. */
    public static List<ByteStore> stores() {
        return STORES;
    }

    /** Whether a location is the address of a file elsewhere, and no file of this machine has that name. */
    public static boolean isAddress(String location) {
        return ADDRESS.matcher(location).matches() && !isFile(location);
    }

    private static boolean isFile(String location) {
        try {
            return Files.exists(Path.of(location));
        } catch (InvalidPathException e) {
            return false;
        }
    }

    /** A location as it may be shown: without passwords, and without what follows a question mark. */
    public static String printable(String location) {
        return location.contains("://")
                ? QUERY.matcher(USER.matcher(location).replaceAll("")).replaceAll("$1?...")
                : location;
    }

    /**
     * Opens the bytes of an address.
     *
     * @throws SourceException if they cannot be read, or there is no store for such addresses
     */
    static RandomAccessBytes open(String address) {
        Matcher matcher = ADDRESS.matcher(address);
        String scheme = matcher.matches() ? matcher.group(1).toLowerCase(Locale.ROOT) : "";
        Optional<ByteStore> store = STORES.stream()
                .filter(candidate -> candidate.schemes().contains(scheme))
                .findFirst();
        return store.orElseThrow(() -> new SourceException(printable(address) + ": addresses that begin with " + scheme
                + ":// cannot be read; those that can begin with " + STORES.stream()
                        .flatMap(candidate -> candidate.schemes().stream())
                        .map(known -> known + "://")
                        .collect(Collectors.joining(", "))))
                .open(address);
    }
}
