package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.it.QemuGuest;
import dev.guestcore.it.Tools;
import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * Linux guests of which the truth is known: they ran {@code linux-truth.c}, which wrote down what the kernel said, and were
 * dumped by QEMU while they stood still. They are booted once and kept in {@code ~/.cache/guestcore/guests}, until anything that
 * they were made of changes.
 */
public enum KnownLinux {

    /** Debian's kernel, page tables of four levels, with page-table isolation. */
    STOCK(Tools::requireKernel, "qemu64", "", "TRUTH READY"),

    /** A newer kernel, page tables of five levels. */
    NEWER(Tools::requireNewerKernel, "max", "", "TRUTH READY"),

    /** Debian's kernel, panicked by the process "recorder" after it had written the truth. */
    PANICKED(Tools::requireKernel, "qemu64", "panic", "end Kernel panic");

    private static final List<String> MODULES =
            List.of("drivers/firmware/qemu_fw_cfg", "net/llc/llc", "net/802/stp", "drivers/net/dummy");
    private static final Path SOURCE = Path.of("src", "test", "boot", "linux-truth.c");
    private static final Path CACHE = Path.of(System.getProperty("user.home"), ".cache", "guestcore", "guests");
    private static final int KEY = 16;

    private final Supplier<Path> kernel;
    private final String cpu;
    private final String mode;
    private final String ready;

    KnownLinux(Supplier<Path> kernel, String cpu, String mode, String ready) {
        this.kernel = kernel;
        this.cpu = cpu;
        this.mode = mode;
        this.ready = ready;
    }

    /** What QEMU dumped, as a kdump. */
    public Path kdump() {
        return folder().resolve("kdump");
    }

    /** What the guest said of itself just before. */
    public LinuxTruth truth() {
        return LinuxTruth.read(folder().resolve("truth.tar"));
    }

    /** The same guest started anew, running; ready when this returns. */
    public QemuGuest start() {
        try {
            return boot(compiledInit());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Path folder() {
        Tools.require("qemu-system-x86_64");
        try {
            Path folder = CACHE.resolve(name().toLowerCase(Locale.ROOT) + "-" + key());
            Files.createDirectories(CACHE);
            synchronized (KnownLinux.class) {
                try (RandomAccessFile file = new RandomAccessFile(CACHE.resolve("lock").toFile(), "rw");
                        FileLock lock = file.getChannel().lock()) {
                    assert lock.isValid();
                    if (!Files.exists(folder)) {
                        fill(folder);
                    }
                }
            }
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void fill(Path folder) throws IOException {
        try (Stream<Path> older = Files.list(CACHE)) {
            for (Path path : older.filter(this::isOfThis).toList()) {
                delete(path);
            }
        }
        Path growing = Files.createTempDirectory(CACHE, "growing");
        try (QemuGuest guest = boot(compiledInit())) {
            guest.qmp("stop", Map.of());
            guest.qmp("dump-guest-memory", Map.of(
                    "paging", false, "format", "kdump-zlib", "protocol", "file:" + growing.resolve("kdump")));
            LinuxTruth.copy(guest.disk(), growing.resolve("truth.tar"));
            Files.move(growing, folder, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            if (Files.exists(growing)) {
                delete(growing);
            }
        }
    }

    private boolean isOfThis(Path path) {
        return path.getFileName().toString().startsWith(name().toLowerCase(Locale.ROOT) + "-");
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> tree = Files.walk(folder)) {
            for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }

    private QemuGuest boot(byte[] init) throws IOException {
        Map<String, byte[]> files = new TreeMap<>();
        files.put("init", init);
        for (String module : MODULES) {
            files.put(module.substring(module.lastIndexOf('/') + 1) + ".ko", Files.readAllBytes(module(module)));
        }
        return QemuGuest.linux(kernel.get(), files, words(), ready, cpu);
    }

    private Path module(String name) {
        return Tools.requireModule(kernel.get(), "kernel/" + name + ".ko");
    }

    private String words() {
        return "printk.devkmsg=on -- " + mode;
    }

    /** The first process, as a static program. */
    static byte[] compiledInit() throws IOException {
        Path program = Files.createTempFile("guestcore-init", "");
        try {
            compileInit(program, "-s");
            return Files.readAllBytes(program);
        } finally {
            Files.delete(program);
        }
    }

    /**
     * Compiles the first process.
     *
     * @param kind -s as in the guest, -g for the same with debug information
     */
    static void compileInit(Path program, String kind) throws IOException {
        run("gcc-12", "-O1", "-static", kind, "-o", program.toString(), SOURCE.toString());
    }

    private static void run(String program, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(Tools.require(program).toString()));
        command.addAll(List.of(arguments));
        try {
            assertEquals(0, new ProcessBuilder(command).inheritIO().start().waitFor(), command::toString);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /** Changes with whatever the guest is made of. */
    private String key() throws IOException {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update((words() + File.pathSeparator + cpu).getBytes(StandardCharsets.UTF_8));
            digest.update(Files.readAllBytes(SOURCE));
            digest.update(Files.readAllBytes(kernel.get()));
            for (String module : MODULES) {
                digest.update(Files.readAllBytes(module(module)));
            }
            return HexFormat.of().formatHex(digest.digest()).substring(0, KEY);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
