package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A QEMU process with a guest that is known: software emulation, no display. It has two QMP sockets: one for Guestcore,
 * one for the test, which is held by this class and shares no code with Guestcore. Closing ends the process and deletes
 * its files. Not thread-safe.
 */
public final class QemuGuest implements AutoCloseable {

    private static final Duration STARTING = Duration.ofSeconds(180);
    private static final int DISK = 2 << 20;
    private static final long LARGE_DISK = 256 << 20;
    private static final String DISK_IMAGE = "disk.img";

    /** The number by which Linux knows the first NVMe disk: major 259, minor 0. */
    private static final int NVME_MAJOR = 259;
    private static final JsonMapper JSON = new JsonMapper();

    private final Path folder;
    private final Process process;
    private final SocketChannel channel;
    private final BufferedReader replies;

    private QemuGuest(String program, Path folder, List<String> arguments) throws IOException {
        this.folder = folder;
        List<String> command = new ArrayList<>(List.of(
                Tools.require(program).toString(),
                "-display",
                "none",
                "-nodefaults",
                "-no-user-config",
                "-qmp",
                "unix:" + socket() + ",server,nowait",
                "-qmp",
                "unix:" + folder.resolve("test.qmp") + ",server,nowait"));
        command.addAll(arguments);
        process = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("qemu.log").toFile())
                .start();
        try {
            await("QEMU listens", () -> Files.exists(folder.resolve("test.qmp")));
            channel = SocketChannel.open(StandardProtocolFamily.UNIX);
            channel.connect(UnixDomainSocketAddress.of(folder.resolve("test.qmp")));
            replies = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
            replies.readLine();
            qmp("qmp_capabilities", Map.of());
        } catch (IOException | RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    /**
     * A guest of our own that holds {@link KnownState} in two vCPUs; ready when this returns.
     *
     * @param machine with its options ("pc", "q35,max-ram-below-4g=64M")
     * @param cpu model ("qemu64"; "max" has AVX)
     * @param memory as QEMU's -m
     * @param more arguments of QEMU
     */
    public static QemuGuest knownState(String machine, String cpu, String memory, String... more) {
        return start(folder -> {
            Path image = folder.resolve("known-state.img");
            // SeaBIOS does not boot from a SATA disk of 8 KiB.
            Files.write(image, Arrays.copyOf(resource("/boot/known-state.img"), DISK));
            List<String> arguments = new ArrayList<>(List.of(
                    "-vga",
                    "std",
                    "-machine",
                    machine,
                    "-accel",
                    "tcg",
                    "-cpu",
                    cpu,
                    "-m",
                    memory,
                    "-smp",
                    "2",
                    "-drive",
                    "file=" + image + ",format=raw,if=ide,snapshot=on"));
            arguments.addAll(List.of(more));
            return arguments;
        }, KnownState::isReached);
    }

    /**
     * A guest of ours that consists of a boot sector; it writes 1 to 0x7000 when it is ready.
     *
     * @param image name of the boot sector ("pae")
     * @param cpu model with its options ("max,la57=on")
     * @param more arguments of QEMU
     */
    public static QemuGuest bootSector(String image, String cpu, String... more) {
        return start(folder -> {
            Path disk = folder.resolve("disk.img");
            Files.write(disk, resource("/boot/" + image + ".img"));
            List<String> arguments = new ArrayList<>(List.of(
                    "-machine",
                    "pc",
                    "-accel",
                    "tcg",
                    "-cpu",
                    cpu,
                    "-m",
                    "64M",
                    "-drive",
                    "file=" + disk + ",format=raw,if=ide,snapshot=on"));
            arguments.addAll(List.of(more));
            return arguments;
        }, guest -> guest.monitor("xp /1wx 0x7000").contains("0x00000001"));
    }

    /**
     * A guest of another processor whose first vCPU runs a few instructions of ours; ready when it counts.
     *
     * @param processor which one, and the program
     */
    static QemuGuest bare(BareGuest processor) {
        return start("qemu-system-" + processor.target(), folder -> {
            Path image = folder.resolve("bare.img");
            Files.write(image, processor.image());
            List<String> arguments = new ArrayList<>(processor.arguments(image));
            arguments.addAll(List.of("-accel", "tcg", "-m", "64M", "-smp", "2"));
            return arguments;
        }, guest -> !guest.monitor("xp /1gx 0x" + Long.toHexString(processor.counter()))
                .contains(": 0x0000000000000000"));
    }

    /**
     * An arm64 Debian kernel with 512 MiB, two vCPUs and nothing that QEMU cannot migrate; ready when it has said so.
     *
     * @param kernel its kernel
     * @param files executable files of its first file system; {@code init} is its first process
     * @param words on the kernel's command line
     * @param ready what appears on its console when it is ready
     * @param cpu model with its options ("cortex-a57")
     */
    static QemuGuest linuxArm64(Path kernel, Map<String, byte[]> files, String words, String ready, String cpu) {
        return start("qemu-system-aarch64", folder -> {
            Path initrd = folder.resolve("initrd.cpio");
            Files.write(initrd, cpio(files));
            return List.of(
                    "-machine",
                    "virt",
                    "-accel",
                    "tcg",
                    "-cpu",
                    cpu,
                    "-m",
                    "512M",
                    "-smp",
                    "2",
                    "-device",
                    "vmcoreinfo",
                    "-kernel",
                    kernel.toString(),
                    "-initrd",
                    initrd.toString(),
                    "-append",
                    "console=ttyAMA0 " + words,
                    "-serial",
                    "file:" + folder.resolve("console.txt"));
        }, guest -> guest.console().contains(ready));
    }

    /**
     * A Debian kernel with 512 MiB and two vCPUs whose only process holds a text in its memory, and that told QEMU where
     * its VMCOREINFO is; ready when this returns.
     *
     * @param needle what the process puts at the start of four pages
     */
    public static QemuGuest linux(String needle) {
        return linux(needle, "512M", Map.of());
    }

    /**
     * The same with 192 MiB, into which the LiME module was loaded: it has written the guest's memory to a disk, from its
     * first byte on. Ready when that is done.
     *
     * @return the guest; {@link #disk()} is what LiME wrote to
     */
    public static QemuGuest linuxDumpedByLime(String needle) {
        Path module = Tools.requireLimeModule();
        try {
            return linux(
                    needle,
                    "192M",
                    Map.of("lime.ko", Files.readAllBytes(module)),
                    "-drive",
                    "file=" + DISK_IMAGE + ",if=none,id=disk,format=raw",
                    "-device",
                    "nvme,drive=disk,serial=1");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static QemuGuest linux(String needle, String memory, Map<String, byte[]> modules, String... more) {
        Path kernel = Tools.requireKernel();
        Path module = Tools.requireKernelModule();
        Map<String, byte[]> files = new HashMap<>(modules);
        files.put("init", resource("/boot/needle-init"));
        try {
            files.put("qemu_fw_cfg.ko", Files.readAllBytes(module));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return linux(kernel, files, "-- " + needle, "NEEDLE READY", memory, more);
    }

    /**
     * A Linux guest with 512 MiB, two vCPUs and an NVMe disk, of the caller's own making; ready when it has said so.
     *
     * @param kernel its kernel
     * @param files executable files of its first file system; {@code init} is its first process
     * @param words on the kernel's command line
     * @param ready what appears on its console when it is ready
     * @param cpu model with its options ("max")
     */
    public static QemuGuest linux(Path kernel, Map<String, byte[]> files, String words, String ready, String cpu) {
        return linux(
                kernel,
                files,
                words,
                ready,
                "512M",
                "-cpu",
                cpu,
                "-drive",
                "file=" + DISK_IMAGE + ",if=none,id=disk,format=raw",
                "-device",
                "nvme,drive=disk,serial=1");
    }

    private static QemuGuest linux(
            Path kernel, Map<String, byte[]> files, String words, String ready, String memory, String... more) {
        return start(folder -> {
            Path initrd = folder.resolve("initrd.cpio");
            Files.write(initrd, cpio(files));
            if (more.length > 0) {
                try (RandomAccessFile disk = new RandomAccessFile(folder.resolve(DISK_IMAGE).toFile(), "rw")) {
                    disk.setLength(LARGE_DISK);
                }
            }
            List<String> arguments = new ArrayList<>(List.of(
                    "-machine",
                    "q35",
                    "-accel",
                    "tcg",
                    "-m",
                    memory,
                    "-smp",
                    "2",
                    "-device",
                    "vmcoreinfo",
                    // Most guests have it, with memory of its own between the kernel's and the firmware.
                    "-vga",
                    "std",
                    "-kernel",
                    kernel.toString(),
                    "-initrd",
                    initrd.toString(),
                    "-append",
                    "console=ttyS0 " + words,
                    "-serial",
                    "file:" + folder.resolve("console.txt")));
            arguments.addAll(List.of(more));
            return arguments;
        }, guest -> guest.console().contains(ready));
    }

    private interface Arguments {
        List<String> in(Path folder) throws IOException;
    }

    private interface Ready {
        boolean test(QemuGuest guest);
    }

    private static QemuGuest start(Arguments arguments, Ready ready) {
        return start("qemu-system-x86_64", arguments, ready);
    }

    private static QemuGuest start(String program, Arguments arguments, Ready ready) {
        Tools.require(program);
        try {
            Path folder = Files.createTempDirectory("guestcore-qemu");
            QemuGuest guest = new QemuGuest(program, folder, arguments.in(folder));
            try {
                guest.await("the guest is ready", () -> ready.test(guest));
            } catch (RuntimeException | Error e) {
                guest.close();
                throw e;
            }
            return guest;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static byte[] resource(String name) {
        try (InputStream stream = Objects.requireNonNull(QemuGuest.class.getResourceAsStream(name), name)) {
            return stream.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Executable files, and a disk, in cpio's "newc" form, which the kernel unpacks as its first file system. */
    private static byte[] cpio(Map<String, byte[]> files) {
        ByteArrayOutputStream archive = new ByteArrayOutputStream();
        files.forEach((name, content) -> cpioEntry(archive, name, 0100755, 0, content));
        cpioEntry(archive, "disk", 0060600, NVME_MAJOR, new byte[0]);
        cpioEntry(archive, "TRAILER!!!", 0, 0, new byte[0]);
        return archive.toByteArray();
    }

    private static void cpioEntry(ByteArrayOutputStream archive, String name, int mode, int major, byte[] content) {
        // inode, mode, uid, gid, links, mtime, size, device (2), special device (2), name size, checksum
        int[] fields = {1, mode, 0, 0, 1, 0, content.length, 0, 0, major, 0, name.length() + 1, 0};
        StringBuilder header = new StringBuilder("070701");
        for (int field : fields) {
            header.append("%08x".formatted(field));
        }
        archive.writeBytes(header.append(name).append('\0').toString().getBytes(StandardCharsets.US_ASCII));
        pad(archive);
        archive.writeBytes(content);
        pad(archive);
    }

    private static void pad(ByteArrayOutputStream archive) {
        while (archive.size() % 4 != 0) {
            archive.write(0);
        }
    }

    private void await(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + STARTING.toNanos();
        while (!condition.getAsBoolean()) {
            assertTrue(process.isAlive(), () -> "QEMU ended: " + text("qemu.log"));
            assertTrue(
                    System.nanoTime() < deadline,
                    () -> "waited in vain until " + what + ": " + text("qemu.log") + text("console.txt"));
            try {
                TimeUnit.MILLISECONDS.sleep(50);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException(e);
            }
        }
    }

    private String text(String file) {
        try {
            Path path = folder.resolve(file);
            return Files.exists(path) ? Files.readString(path, StandardCharsets.ISO_8859_1) : "";
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What the guest wrote to its serial console so far. */
    public String console() {
        return text("console.txt");
    }

    /** The QMP socket for Guestcore. */
    public Path socket() {
        return folder.resolve("guestcore.qmp");
    }

    /** The guest's name for Guestcore. */
    public String location() {
        return "qemu:" + socket();
    }

    /** A folder of this guest, deleted with it. */
    public Path folder() {
        return folder;
    }

    /** The disk, of a guest that has one. */
    public Path disk() {
        return folder.resolve(DISK_IMAGE);
    }

    /** QEMU's process. */
    public Process process() {
        return process;
    }

    /** Runs a QMP command on the test's own socket and gives what it returns. */
    public JsonNode qmp(String command, Map<String, ?> arguments) {
        try {
            String message = JSON.writeValueAsString(Map.of("execute", command, "arguments", arguments)) + "\n";
            ByteBuffer bytes = ByteBuffer.wrap(message.getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            while (true) {
                JsonNode reply = JSON.readTree(replies.readLine());
                if (!reply.has("event")) {
                    assertTrue(reply.has("return"), reply::toString);
                    return reply.path("return");
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Runs a command of QEMU's human monitor and gives its text. */
    public String monitor(String commandLine) {
        return qmp("human-monitor-command", Map.of("command-line", commandLine))
                .asString()
                .replace("\r", "");
    }

    /** Whether the guest runs, as QEMU says. */
    public boolean isRunning() {
        return qmp("query-status", Map.of()).path("running").asBoolean();
    }

    /** What QEMU itself saves of guest-physical memory: the reference for all reading. Close and delete nothing. */
    public FileChannel saved(long address, long size) {
        Path file = folder.resolve("saved");
        try {
            qmp("pmemsave", Map.of("val", address, "size", size, "filename", file.toString()));
            FileChannel content = FileChannel.open(file);
            Files.delete(file);
            return content;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
        try {
            process.waitFor();
            if (channel != null) {
                channel.close();
            }
            try (Stream<Path> tree = Files.walk(folder)) {
                for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(path);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
