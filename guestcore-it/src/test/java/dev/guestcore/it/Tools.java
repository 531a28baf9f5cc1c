package dev.guestcore.it;

import dev.guestcore.testing.ForeignTools;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Programs and files that a test needs from the machine. What is missing skips the test, with a message; where the
 * environment variable {@code CI} is set it fails the test, so that nothing is silently never tested.
 */
public final class Tools {

    private Tools() {}

    /** The program of that name. */
    public static Path require(String program) {
        return find(program).orElseGet(() -> missing("program " + program + " is not installed"));
    }

    /** The program of that name, if it is installed. */
    public static Optional<Path> find(String program) {
        return Stream.of(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator))
                .map(folder -> Path.of(folder, program))
                .filter(Files::isExecutable)
                .findFirst();
    }

    /**
     * A Linux kernel for x86-64 with a serial console: from the folder that the environment variable
     * {@code GUESTCORE_TEST_KERNEL} names, from where {@code .ci/fetch-kernel} puts it, or from {@code /boot}.
     */
    public static Path requireKernel() {
        String named = System.getenv("GUESTCORE_TEST_KERNEL");
        List<Path> folders = named != null
                ? List.of(Path.of(named))
                : List.of(Path.of(System.getProperty("user.home"), ".cache", "guestcore", "kernel"), Path.of("/boot"));
        for (Path folder : folders) {
            if (Files.isDirectory(folder)) {
                try (Stream<Path> files = Files.walk(folder, 3)) {
                    Optional<Path> kernel = files.filter(
                            file -> file.getFileName().toString().startsWith("vmlinuz-"))
                            .filter(Files::isReadable)
                            .max(Path::compareTo);
                    if (kernel.isPresent()) {
                        return kernel.get();
                    }
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }
        }
        return missing("no readable vmlinuz-* in any of " + folders + "; run .ci/fetch-kernel");
    }

    /** A second kernel, newer than the first, from where {@code .ci/fetch-newer-kernel} puts it. */
    public static Path requireNewerKernel() {
        return requireKernelOf("newer-kernel");
    }

    /** A kernel for arm64, from where {@code .ci/fetch-arm-kernel} puts it. */
    public static Path requireArmKernel() {
        return requireKernelOf("arm-kernel");
    }

    private static Path requireKernelOf(String name) {
        Path folder = Path.of(System.getProperty("user.home"), ".cache", "guestcore", name, "boot");
        if (Files.isDirectory(folder)) {
            try (Stream<Path> files = Files.list(folder)) {
                Optional<Path> kernel =
                        files.filter(file -> file.getFileName().toString().startsWith("vmlinuz-")).findFirst();
                if (kernel.isPresent()) {
                    return kernel.get();
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return missing("no vmlinuz-* in " + folder + "; run .ci/fetch-" + name);
    }

    /** The first kernel with its debug information, from the folder in which it lies. */
    public static Path requireKernelWithDebugInformation() {
        Path kernel = requireKernel();
        Path vmlinux = kernel.resolveSibling(kernel.getFileName().toString().replaceFirst("vmlinuz-", "vmlinux-"));
        return Files.isReadable(vmlinux) ? vmlinux : missing("no readable " + vmlinux + "; run .ci/fetch-kernel");
    }

    /** The driver of that kernel for QEMU's firmware interface, as it lies in the kernel's package. */
    public static Path requireKernelModule() {
        return requireModule("kernel/drivers/firmware/qemu_fw_cfg.ko");
    }

    /** The LiME module, built for that kernel. */
    public static Path requireLimeModule() {
        return requireModule("extra/lime.ko");
    }

    private static Path requireModule(String name) {
        return requireModule(requireKernel(), name);
    }

    /** A module of a kernel that one of these methods gave, by its name below {@code lib/modules/RELEASE}. */
    public static Path requireModule(Path kernel, String name) {
        String release = kernel.getFileName().toString().substring("vmlinuz-".length());
        Path module = kernel.resolveSibling(Path.of("..", "lib", "modules", release))
                .resolve(name)
                .normalize();
        return Files.isReadable(module) ? module : missing("no readable " + module + "; run .ci/fetch-kernel");
    }

    /** Skips the test, or fails it where {@code CI} is set. */
    public static <T> T missing(String message) {
        return ForeignTools.missing(message);
    }
}
