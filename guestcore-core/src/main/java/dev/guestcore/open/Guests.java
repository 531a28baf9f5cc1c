package dev.guestcore.open;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.SourceException;
import dev.guestcore.error.UnrecognizedFormatException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.file.FileSet;
import dev.guestcore.file.Locations;
import dev.guestcore.format.Check;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.format.NamedParts;
import dev.guestcore.format.Opening;
import dev.guestcore.format.Probe;
import dev.guestcore.internal.check.CheckList;
import dev.guestcore.internal.text.Nearest;
import dev.guestcore.internal.text.ShellWords;
import dev.guestcore.kernel.DebuggerSupport;
import dev.guestcore.source.FreezeRequest;
import dev.guestcore.source.GuestSource;
import dev.guestcore.source.SourceProvider;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Opens guests from anywhere. Thread-safe. */
public final class Guests {

    private static final List<CoreFormat> FORMATS = load(CoreFormat.class, Comparator.comparing(CoreFormat::name));
    private static final List<SourceProvider> PROVIDERS =
            load(SourceProvider.class, Comparator.comparing(SourceProvider::scheme));

    private Guests() {}

    private static <T> List<T> load(Class<T> service, Comparator<T> order) {
        return ServiceLoader.load(service, Guests.class.getClassLoader()).stream()
                .map(ServiceLoader.Provider::get)
                .sorted(order)
                .toList();
    }

    /** All file formats, by name. */
    public static List<CoreFormat> formats() {
        return FORMATS;
    }

    /** All kinds of sources that are no files, by scheme. */
    public static List<SourceProvider> providers() {
        return PROVIDERS;
    }

    /** What can stand before a colon, by name: kinds of sources, and formats whose parts the user names. */
    public static List<Scheme> schemes() {
        return Stream.concat(
                PROVIDERS.stream().map(provider -> new Scheme(provider.scheme(), provider.help())),
                FORMATS.stream()
                        .flatMap(format -> format.namedParts().stream())
                        .map(named -> new Scheme(named.scheme(), named.help())))
                .sorted(Comparator.comparing(Scheme::name))
                .toList();
    }

    /** Whether a location names one file, and nothing stands before it. */
    public static boolean isFile(String location) {
        return schemes().stream().noneMatch(scheme -> location.startsWith(scheme.name() + ":"));
    }

    /** What debuggers make of the files of a guest's format; if it came from none, what they make of a live guest. */
    public static DebuggerSupport debuggers(Guest guest) {
        return formats().stream()
                .filter(format -> format.name().equals(guest.provenance().format()))
                .findFirst()
                .map(CoreFormat::debuggers)
                .orElseGet(DebuggerSupport::live);
    }

    /**
     * The format of that name.
     *
     * @throws UnsupportedRequestException if there is none
     */
    public static CoreFormat format(String name) {
        return FORMATS.stream()
                .filter(format -> format.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new UnsupportedRequestException("there is no format '" + name + "'; there are "
                        + FORMATS.stream().map(CoreFormat::name).collect(Collectors.joining(", "))));
    }

    /**
     * Finds a guest without freezing it.
     *
     * @param location {@code scheme:locator} of a live source, or the path or address of a core file
     * @throws dev.guestcore.error.GuestcoreException if there is nothing there that can be opened
     */
    public static GuestSource source(String location) {
        return source(location, Optional.empty(), Progress.none());
    }

    /**
     * The same, with a limit to how long a live source may take until it answers.
     *
     * @throws dev.guestcore.error.GuestcoreException if there is nothing there that can be opened, or it does not
     *     answer in time
     */
    public static GuestSource source(String location, Duration timeout) {
        return source(location, Optional.of(timeout), Progress.none());
    }

    /**
     * The same with somebody who is told how much of a compressed core file is decompressed, if that takes a while.
     *
     * @param timeout how long a live source may take until it answers; empty for as long as is usual
     * @throws dev.guestcore.error.CancelledException if {@code progress} stops it
     * @throws dev.guestcore.error.GuestcoreException if there is nothing there that can be opened, or it does not
     *     answer in time
     */
    public static GuestSource source(String location, Optional<Duration> timeout, Progress progress) {
        Optional<SourceProvider> provider = provider(location);
        if (provider.isPresent()) {
            String locator = locator(provider.get().scheme(), location);
            return timeout.isPresent()
                    ? provider.get().connect(locator, timeout.get())
                    : provider.get().connect(locator);
        }
        Optional<CoreFormat> format = formatOfParts(location);
        if (format.isPresent()) {
            NamedParts named = format.get().namedParts().orElseThrow();
            Guest guest = open(format.get(), parts(named, location, progress));
            return GuestSource.ofFiles(guest, named.describe(guest));
        }
        String scheme = location.substring(0, Math.max(0, location.indexOf(':')));
        boolean isAddress = Locations.isAddress(location);
        Optional<String> meant = Nearest.of(scheme, schemes().stream().map(Scheme::name).toList());
        if (meant.isPresent() && !isAddress && !Files.exists(path(location))) {
            throw new SourceException(location + ": no such file, and no kind of source is called '" + scheme
                    + "'; did you mean '" + meant.get() + ":'?");
        }
        Guest guest = isAddress ? openSet(files(location, progress)) : open(path(location), progress);
        return GuestSource.ofFiles(
                guest, guest.provenance().format() + " core " + guest.provenance().source());
    }

    /**
     * Opens a guest; a live one is frozen until the result is closed.
     *
     * @param location {@code scheme:locator} of a live source, or the path or address of a core file
     * @throws dev.guestcore.error.GuestcoreException if there is nothing there that can be opened
     */
    public static Guest open(String location) {
        GuestSource source = source(location);
        try {
            return new SourcedGuest(source.freeze(), source);
        } catch (RuntimeException | Error e) {
            source.close();
            throw e;
        }
    }

    /**
     * Opens a guest; a live one is frozen as the request says, and for no longer than that takes.
     *
     * @param location {@code scheme:locator} of a live source, or the path or address of a core file
     * @throws UnsupportedRequestException if the way of freezing that is asked for cannot be taken
     * @throws dev.guestcore.error.GuestcoreException if there is nothing there that can be opened
     */
    public static Guest open(String location, FreezeRequest request) {
        return open(source(location), request);
    }

    /** The same of a source that is found already; closing the guest closes it. */
    public static Guest open(GuestSource source, FreezeRequest request) {
        try {
            return new SourcedGuest(source.freeze(request), source);
        } catch (RuntimeException | Error e) {
            source.close();
            throw e;
        }
    }

    /**
     * Opens a core file, whatever its format.
     *
     * @throws UnrecognizedFormatException if no format claims it
     * @throws dev.guestcore.error.MalformedDumpException if it is damaged beyond use
     */
    public static Guest open(Path path) {
        return open(path, Progress.none());
    }

    private static Guest open(Path path, Progress progress) {
        return openSet(files(path, progress));
    }

    private static Guest openSet(FileSet files) {
        try {
            return recognize(files).open(files);
        } catch (RuntimeException | Error e) {
            files.close();
            throw e;
        }
    }

    private static Guest open(CoreFormat format, FileSet files) {
        try {
            return format.open(files);
        } catch (RuntimeException | Error e) {
            files.close();
            throw e;
        }
    }

    private static FileSet parts(NamedParts named, String location, Progress progress) {
        return FileSet.open(named.parts(locator(named.scheme(), location)), progress);
    }

    private static FileSet files(Path path, Progress progress) {
        return !path.toString().isEmpty() && Files.isDirectory(path)
                ? FileSet.inFolder(path)
                : FileSet.of(FileBytes.open(path, progress));
    }

    /**
     * Opens the files that a location names, whatever is in them.
     *
     * @param location path of a file or a folder, or the parts of a dump with the scheme of their format
     * @param progress told of what is decompressed, if that takes a while
     * @throws SourceException if there is no such file
     */
    public static FileSet files(String location, Progress progress) {
        return formatOfParts(location)
                .flatMap(CoreFormat::namedParts)
                .map(named -> parts(named, location, progress))
                .orElseGet(() -> Locations.isAddress(location)
                        ? FileSet.of(FileBytes.open(location, progress))
                        : files(path(location), progress));
    }

    /** The format whose scheme a location begins with, so that the files behind it are its parts. */
    private static Optional<CoreFormat> formatOfParts(String location) {
        return FORMATS.stream()
                .filter(format -> format.namedParts()
                        .filter(named -> location.startsWith(named.scheme() + ":"))
                        .isPresent())
                .findFirst();
    }

    /** The kind of source that a location names; empty if it is the path of a file. */
    public static Optional<SourceProvider> provider(String location) {
        return PROVIDERS.stream()
                .filter(candidate -> location.startsWith(candidate.scheme() + ":"))
                .findFirst();
    }

    private static String locator(String scheme, String location) {
        return location.substring(scheme.length() + 1);
    }

    /**
     * Checks a dump against every rule of its format. Of a source of files that has no rules it checks that it opens
     * without damage and, if {@code deep}, that all of its memory can be read.
     *
     * @param location path of a core file, or {@code scheme:locator} of a source that consists of files
     * @param deep also rules that need all of the memory to be read
     * @throws UnsupportedRequestException if it is a live source
     * @throws dev.guestcore.error.GuestcoreException if there is no such file or source
     */
    public static Verification verify(String location, boolean deep, Progress progress) {
        Optional<SourceProvider> provider = provider(location);
        if (provider.isPresent()) {
            return verify(provider.get(), location, deep, progress);
        }
        Optional<CoreFormat> named = formatOfParts(location);
        try (FileSet files = files(location, progress)) {
            CoreFormat format = named.orElseGet(() -> recognize(files));
            return new Verification(format.name(), format.title(), format.verify(files, deep, progress));
        }
    }

    private static Verification verify(SourceProvider provider, String location, boolean deep, Progress progress) {
        String locator = locator(provider.scheme(), location);
        Optional<List<Check>> checks = provider.verify(locator, deep, progress);
        if (checks.isPresent()) {
            return new Verification(provider.scheme(), provider.help().split(" {2,}", 2)[0], checks.get());
        }
        try (GuestSource source = provider.connect(locator)) {
            if (source.isLive()) {
                throw new UnsupportedRequestException(
                        location + ": is a live source, and a dump is checked; capture it first");
            }
            Guest guest = source.freeze();
            CheckList list = new CheckList("docs/verify.md, section 2");
            list.add(Opening.check(provider.scheme(), guest.findings()));
            if (deep) {
                list.readAll(provider.scheme() + "-01", guest.memory(), progress);
            } else {
                list.skip(provider.scheme() + "-01", "all memory can be read", "needs a deep check");
            }
            return new Verification(provider.scheme(), source.description(), list.list());
        }
    }

    private static Path path(String location) {
        try {
            return Path.of(location);
        } catch (InvalidPathException e) {
            throw new SourceException(
                    "'" + location + "' is not a path: " + e.getReason()
                            + "; letters that are not ASCII need a UTF-8 locale (LC_ALL=C.UTF-8)",
                    e);
        }
    }

    /**
     * The format of a file by its content.
     *
     * @throws UnrecognizedFormatException if no format claims it; says what it is instead, and what can be done with it
     */
    public static CoreFormat recognize(FileBytes file) {
        return recognize(FileSet.of(file));
    }

    /**
     * The format of a file, or of the files in a folder, by their content.
     *
     * @throws UnrecognizedFormatException if no format claims it; says what it is instead, and what can be done with it
     * @throws SourceException if it is a folder that no format claims
     */
    public static CoreFormat recognize(FileSet files) {
        String almost = null;
        CoreFormat general = null;
        for (CoreFormat format : FORMATS) {
            Probe probe = format.probe(files);
            switch (probe.match()) {
                case EXACT -> {
                    return format;
                }
                case GENERAL -> general = general == null ? format : general;
                case ALMOST -> almost = almost == null ? probe.reason() : almost;
                case NO -> {}
                default -> throw new IllegalStateException("unknown match " + probe.match());
            }
        }
        if (general != null) {
            return general;
        }
        if (files.parts().isEmpty()) {
            throw new SourceException(files.name() + ": is a directory; name the dump file in it");
        }
        throw unrecognized(files.first(), almost);
    }

    private static UnrecognizedFormatException unrecognized(FileBytes file, @Nullable String almost) {
        String inside = file.compression().map(name -> "compressed by " + name + "; inside, ").orElse("");
        return new UnrecognizedFormatException(file.name() + ": " + inside
                + (almost != null ? almost : KnownFiles.describe(file)
                        .orElseGet(() -> "no known core format; if it is a raw image of memory, " + KnownFiles.raw(file)
                                + "; `guestcore formats " + ShellWords.quoted(file.name())
                                + "` shows why each format does not match")));
    }
}
