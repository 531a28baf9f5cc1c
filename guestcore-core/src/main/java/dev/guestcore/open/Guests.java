package dev.guestcore.open;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.SourceException;
import dev.guestcore.error.UnrecognizedFormatException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.format.Opening;
import dev.guestcore.format.Probe;
import dev.guestcore.internal.check.CheckList;
import dev.guestcore.internal.text.Nearest;
import dev.guestcore.internal.text.ShellWords;
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

    /** All kinds of live sources, by scheme. */
    public static List<SourceProvider> providers() {
        return PROVIDERS;
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
     * @param location {@code scheme:locator} of a live source, or the path of a core file
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
            String locator = locator(provider.get(), location);
            return timeout.isPresent()
                    ? provider.get().connect(locator, timeout.get())
                    : provider.get().connect(locator);
        }
        String scheme = location.substring(0, Math.max(0, location.indexOf(':')));
        List<String> schemes = PROVIDERS.stream().map(SourceProvider::scheme).toList();
        Path path = path(location);
        Optional<String> meant = Nearest.of(scheme, schemes);
        if (meant.isPresent() && !Files.exists(path)) {
            throw new SourceException(location + ": no such file, and no kind of source is called '" + scheme
                    + "'; did you mean '" + meant.get() + ":'?");
        }
        Guest guest = open(path, progress);
        return GuestSource.ofFiles(
                guest, guest.provenance().format() + " core " + guest.provenance().source());
    }

    /**
     * Opens a guest; a live one is frozen until the result is closed.
     *
     * @param location {@code scheme:locator} of a live source, or the path of a core file
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
     * @param location {@code scheme:locator} of a live source, or the path of a core file
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
        FileBytes file = FileBytes.open(path, progress);
        try {
            return recognize(file).open(file);
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    /** The kind of source that a location names; empty if it is the path of a file. */
    public static Optional<SourceProvider> provider(String location) {
        return PROVIDERS.stream()
                .filter(candidate -> location.startsWith(candidate.scheme() + ":"))
                .findFirst();
    }

    private static String locator(SourceProvider provider, String location) {
        return location.substring(provider.scheme().length() + 1);
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
        try (FileBytes file = FileBytes.open(path(location), progress)) {
            CoreFormat format = recognize(file);
            return new Verification(format.name(), format.title(), format.verify(file, deep, progress));
        }
    }

    private static Verification verify(SourceProvider provider, String location, boolean deep, Progress progress) {
        String locator = locator(provider, location);
        Optional<List<Check>> checks = provider.verify(locator, deep, progress);
        if (checks.isPresent()) {
            return new Verification(provider.scheme(), provider.help().split(" {2,}", 2)[0], checks.get());
        }
        try (GuestSource source = provider.connect(locator)) {
            if (source.isLive()) {
                throw new UnsupportedRequestException(location + ": is a live source, and a dump is checked; capture it first");
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
        String almost = null;
        CoreFormat general = null;
        for (CoreFormat format : FORMATS) {
            Probe probe = format.probe(file);
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
        if (general == null) {
            String inside = file.compression().map(name -> "compressed by " + name + "; inside, ").orElse("");
            throw new UnrecognizedFormatException(file.name() + ": " + inside + (almost != null ? almost : KnownFiles.describe(file)
                    .orElseGet(() -> "no known core format; if it is a raw image of memory, " + KnownFiles.raw(file)
                            + "; `guestcore formats " + ShellWords.quoted(file.name())
                            + "` shows why each format does not match")));
        }
        return general;
    }
}
