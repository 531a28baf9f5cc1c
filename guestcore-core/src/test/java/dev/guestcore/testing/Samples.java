package dev.guestcore.testing;

import io.airlift.compress.v3.zstd.ZstdInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/**
 * Sample dumps for tests. Those that hold only our own patterns lie in the test resources; those that hold the firmware or
 * kernel of others lie in {@code ../shared/samples} beside the checkout; without them a test is skipped with a message.
 */
public final class Samples {

    /** VMCores that the original writers of six VirtualBox versions wrote over a made-up guest. */
    public static final List<String> VBOX_GENERATED = List.of(
            "vbox/4.0.0-A", "vbox/4.3.30-A", "vbox/5.0.10-A", "vbox/6.0.4-A", "vbox/7.0.10-A", "vbox/r32341-A");

    /** VMCores of VirtualBox 7.2.22. */
    public static final List<String> VBOX_REAL = List.of(
            "vbox/real/p1-bios-8m-1cpu",
            "vbox/real/p2-bios-72m-2cpu-high",
            "vbox/real/p3-ich9-4m-avx-iem",
            "vbox/real/efi-ich9-64m-iem");

    /** Dump-cores of our own small kernels, from Xen 4.17. */
    public static final List<String> XEN_MINI =
            List.of("xen/pv64-mini", "xen/pv32-mini", "xen/pvh-mini", "xen/pvh-mini-si");

    /** Other dump-cores from Xen 4.17. The last one is cut short. */
    public static final List<String> XEN_OTHERS = List.of("xen/pv64-1", "xen/pvhgrub", "xen/pv64-mini-diskfull");

    /** Memory of a Linux guest on arm64 from 0x40000000 on, whose kernel names code only, and what the guest said itself. */
    public static final String LINUX_ARM64 = "linux/m510";

    /** ELF cores that QEMU 10 wrote of Linux guests, with the registers that its monitor showed beside. */
    public static final List<String> ARCHITECTURES = List.of("arch/arm64", "arch/riscv64", "arch/s390x");

    private static final Map<String, Path> UNPACKED = new ConcurrentHashMap<>();
    private static final Path FOLDER = temporaryFolder();

    private Samples() {}

    private static Path temporaryFolder() {
        try {
            Path folder = Files.createTempDirectory("guestcore-samples");
            Runtime.getRuntime().addShutdownHook(new Thread(() -> deleteTree(folder)));
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void deleteTree(Path folder) {
        try (Stream<Path> tree = Files.walk(folder)) {
            for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The unpacked core of a sample, by one of the names above. Do not modify it. */
    public static Path core(String sample) {
        return UNPACKED.computeIfAbsent(sample, Samples::unpack);
    }

    private static Path unpack(String sample) {
        String packed = sample.startsWith("vbox/")
                ? "vmcore.elf.zst"
                : sample.startsWith("linux/") ? "mem.raw.zst" : "core.zst";
        Path target = FOLDER.resolve(sample.replace('/', '_'));
        if (ARCHITECTURES.contains(sample)) {
            return unpackWithTool(registers(sample).resolveSibling(sample.substring(5) + ".elf.zst"), target);
        }
        if (Samples.class.getResource("/samples/" + sample + "/" + packed) == null) {
            return unpackWithTool(shared(sample).resolve(packed), target);
        }
        try (InputStream compressed = open(sample, packed);
                InputStream content = new ZstdInputStream(compressed)) {
            Files.copy(content, target);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return target;
    }

    /** The large samples have a window that the library does not take. */
    private static Path unpackWithTool(Path packed, Path target) {
        try {
            Process zstd = new ProcessBuilder("zstd", "-q", "-d", packed.toString(), "-o", target.toString())
                    .inheritIO()
                    .start();
            if (zstd.waitFor() != 0) {
                throw new IOException("zstd could not unpack " + packed);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        return target;
    }

    /**
     * A file that a Linux guest wrote about itself, from the archive beside its memory.
     *
     * @param entry in the archive ("gt/kallsyms")
     */
    public static byte[] truth(String sample, String entry) {
        try {
            Process tar = new ProcessBuilder(
                    "tar", "--zstd", "-xOf", shared(sample).resolve("truth.tar.zst").toString(), entry)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            byte[] content = tar.getInputStream().readAllBytes();
            if (tar.waitFor() != 0) {
                throw new IOException("tar could not unpack " + entry + " of " + sample);
            }
            return content;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** What QEMU's monitor said of the registers of one of {@link #ARCHITECTURES}. */
    public static Path registers(String sample) {
        return shared("arch").resolve(sample.substring(5) + ".regs.txt");
    }

    /** A text file beside a sample ("truth.txt", "input.json"). */
    public static String text(String sample, String file) {
        try (InputStream content = open(sample, file)) {
            return new String(content.readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static InputStream open(String sample, String file) throws IOException {
        InputStream resource = Samples.class.getResourceAsStream("/samples/" + sample + "/" + file);
        return resource != null ? resource : Files.newInputStream(shared(sample).resolve(file));
    }

    private static Path shared(String sample) {
        for (Path folder = Path.of("").toAbsolutePath(); folder != null; folder = folder.getParent()) {
            Path candidate = folder.resolveSibling("shared").resolve("samples").resolve(sample);
            if (Files.isDirectory(candidate)) {
                return candidate;
            }
        }
        String message = "sample " + sample + " is not here: it belongs into ../shared/samples beside the checkout";
        return ForeignTools.missing(message);
    }
}
