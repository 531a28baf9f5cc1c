package dev.guestcore.it.readers;

import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.WritePlan;
import dev.guestcore.format.WriteReport;
import dev.guestcore.format.vbox.VmCoreLayout;
import dev.guestcore.format.vbox.VmCoreWriter;
import dev.guestcore.format.xen.XenDumpCoreWriter;
import dev.guestcore.it.QemuGuest;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * A core that Guestcore writes of some guest, and what the guest itself held at that moment. Each guest is opened once,
 * when the first of its cores is asked for, and all its cores are written at that one moment.
 *
 * @param origin the guest
 * @param name which of its cores
 * @param kind what it is
 * @param analystNotes whether it has the notes that all ELF cores have
 * @param writer what writes it
 */
record WrittenCore(Origin origin, String name, Kind kind, boolean analystNotes, CoreWriter writer) {

    /** Where a guest comes from. */
    enum Origin {
        DEMO,
        DESCRIBED,
        VBOX_40,
        VBOX_42,
        VBOX_50,
        VBOX_51,
        VBOX_70,
        XEN_PV64,
        XEN_PV32,
        XEN_PVH,
        XEN_PVH_SHARED_INFO,
        LINUX;

        private void open(GuestUser user) {
            switch (this) {
                case DEMO -> use("demo:", user);
                case DESCRIBED -> use("file:" + resource("described.json"), user);
                case VBOX_40 -> use(sample("vbox/4.0.0-A"), user);
                case VBOX_42 -> use(sample("vbox/4.3.30-A"), user);
                case VBOX_50 -> use(sample("vbox/5.0.10-A"), user);
                case VBOX_51 -> use(sample("vbox/6.0.4-A"), user);
                case VBOX_70 -> use(sample("vbox/7.0.10-A"), user);
                case XEN_PV64 -> use(sample("xen/pv64-mini"), user);
                case XEN_PV32 -> use(sample("xen/pv32-mini"), user);
                case XEN_PVH -> use(sample("xen/pvh-mini"), user);
                case XEN_PVH_SHARED_INFO -> use(sample("xen/pvh-mini-si"), user);
                case LINUX -> {
                    try (QemuGuest qemu = QemuGuest.linux("GUESTCORE-FOR-READERS")) {
                        use(qemu.location(), user);
                    }
                }
            }
        }

        private static String sample(String name) {
            return Samples.core(name).toString();
        }

        private static void use(String location, GuestUser user) {
            try (Guest guest = Guests.open(location)) {
                user.accept(guest);
            }
        }
    }

    private interface GuestUser {
        void accept(Guest guest);
    }

    /** What readers tell apart. */
    enum Kind {
        VMCORE,
        HVM_DUMP,
        PV64_DUMP,
        PV32_DUMP,
        ELF,
        KDUMP,
        /** A kdump as it goes through a pipe. */
        FLATTENED_KDUMP,
        RAW
    }

    /**
     * What a guest held when its cores were written.
     *
     * @param regions of its guest-physical memory
     * @param memory its guest-physical memory
     * @param machineMemory its memory by machine address, of PV guests
     * @param registers of its vCPUs
     */
    record Truth(
            List<MemoryRegion> regions,
            List<MemoryDigest> memory,
            List<MemoryDigest> machineMemory,
            List<RegisterState> registers) {

        /** Pages of 4096 bytes that have content. */
        long pages() {
            return regions.stream()
                    .filter(MemoryRegion::hasContent)
                    .mapToLong(region -> region.range().size() / 4096)
                    .sum();
        }
    }

    /** Where {@link #memory} of a kdump of Linux ends: devices and firmware above go into a note, out of makedumpfile's way. */
    private static final long FIRMWARE = 0xc0000000L;

    private static final Path FOLDER = temporaryFolder();
    private static final Map<Origin, Truth> OPENED = new EnumMap<>(Origin.class);
    private static final List<WrittenCore> ALL = list();

    private static Path temporaryFolder() {
        try {
            Path folder = Files.createTempDirectory("guestcore-readers");
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

    private static List<WrittenCore> list() {
        List<WrittenCore> cores = new ArrayList<>();
        for (VmCoreLayout layout : VmCoreLayout.values()) {
            cores.add(vmCore(Origin.DESCRIBED, "layout-" + layout.label(), VmCoreWriter.layout(layout)));
            cores.add(withAll(Origin.DESCRIBED, "layout-" + layout.label(), VmCoreWriter.layout(layout)));
        }
        cores.add(vmCore(Origin.DESCRIBED, "kept", VmCoreWriter.newest().withKeep()));
        for (Origin origin : Origin.values()) {
            cores.add(vmCore(origin, "vmcore", VmCoreWriter.likeSource()));
            cores.add(new WrittenCore(
                    origin, "vmcore-analyst", Kind.VMCORE, true, VmCoreWriter.likeSource().withAnalystNotes()));
            cores.add(new WrittenCore(origin, "hvm", Kind.HVM_DUMP, false, XenDumpCoreWriter.hvm()));
        }
        for (Origin origin : List.of(Origin.DEMO, Origin.VBOX_70, Origin.XEN_PV64, Origin.LINUX)) {
            cores.add(withAll(origin, "vmcore", VmCoreWriter.likeSource()));
            cores.add(new WrittenCore(origin, "hvm-kept", Kind.HVM_DUMP, false, XenDumpCoreWriter.hvm().withKeep()));
        }
        for (Origin origin : List.of(Origin.XEN_PVH, Origin.XEN_PVH_SHARED_INFO)) {
            cores.add(new WrittenCore(origin, "as-source", Kind.HVM_DUMP, false, XenDumpCoreWriter.asSource()));
        }
        cores.add(new WrittenCore(Origin.XEN_PV64, "as-source", Kind.PV64_DUMP, false, XenDumpCoreWriter.asSource()));
        cores.add(new WrittenCore(Origin.XEN_PV64, "pv", Kind.PV64_DUMP, false, XenDumpCoreWriter.pv()));
        cores.add(new WrittenCore(Origin.XEN_PV32, "as-source", Kind.PV32_DUMP, false, XenDumpCoreWriter.asSource()));
        cores.add(new WrittenCore(Origin.XEN_PV32, "pv", Kind.PV32_DUMP, false, XenDumpCoreWriter.pv()));
        for (Origin origin : Origin.values()) {
            cores.add(new WrittenCore(origin, "elf", Kind.ELF, true, writer("elf", Map.of())));
            cores.add(kdump(origin, "zlib"));
        }
        cores.add(new WrittenCore(Origin.LINUX, "raw", Kind.RAW, false, writer("raw", Map.of())));
        for (Origin origin : List.of(Origin.DESCRIBED, Origin.LINUX)) {
            cores.add(new WrittenCore(origin, "elf-kept", Kind.ELF, true, writer("elf", Map.of("keep", "true"))));
            for (String compression : List.of("none", "lzo", "snappy", "zstd")) {
                cores.add(kdump(origin, compression));
            }
            CoreWriter kdump = writer("kdump", Map.of());
            cores.add(new WrittenCore(
                    origin, "kdump-flattened", Kind.FLATTENED_KDUMP, true, new ThroughPipe(kdump)));
        }
        return List.copyOf(cores);
    }

    private static WrittenCore kdump(Origin origin, String compression) {
        CoreWriter writer = writer("kdump", Map.of("compression", compression));
        return new WrittenCore(origin, "kdump-" + compression, Kind.KDUMP, true, writer);
    }

    private static CoreWriter writer(String format, Map<String, String> options) {
        return Guests.format(format).writer(options);
    }

    /** Writes as if the file could not be written out of order. */
    private record ThroughPipe(CoreWriter writer) implements CoreWriter {

        @Override
        public WritePlan plan(Guest guest) {
            return writer.plan(guest);
        }

        @Override
        public WriteReport write(Guest guest, Path file, Progress progress) {
            try (FileChannel channel =
                    FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                return writer.write(guest, channel, progress);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private static WrittenCore vmCore(Origin origin, String name, VmCoreWriter writer) {
        return new WrittenCore(origin, name, Kind.VMCORE, false, writer);
    }

    private static WrittenCore withAll(Origin origin, String name, VmCoreWriter writer) {
        return new WrittenCore(
                origin,
                name + "-analyst-kept",
                Kind.VMCORE,
                true,
                writer.withAnalystNotes().withKeep());
    }

    /** All cores of these kinds; nothing is written yet. */
    static Stream<WrittenCore> of(Kind... kinds) {
        return ALL.stream().filter(core -> List.of(kinds).contains(core.kind));
    }

    /** One core of each guest in these kinds, so that all guests are seen but not every variant. */
    static Stream<WrittenCore> oneOfEachGuest(Kind... kinds) {
        return Stream.of(Origin.values()).flatMap(origin -> of(kinds).filter(core -> core.origin == origin).limit(1));
    }

    /** The core of that name. */
    static WrittenCore of(Origin origin, String name) {
        return ALL.stream()
                .filter(core -> core.origin == origin && core.name.equals(name))
                .findFirst()
                .orElseThrow();
    }

    /** The file. */
    Path file() {
        truth();
        return path();
    }

    private Path path() {
        return FOLDER.resolve(this + ".core");
    }

    /** What the guest held. */
    Truth truth() {
        synchronized (OPENED) {
            Truth known = OPENED.get(origin);
            if (known == null) {
                origin.open(guest -> OPENED.put(origin, write(guest)));
                known = Objects.requireNonNull(OPENED.get(origin));
            }
            return known;
        }
    }

    /** The guest's memory, as far as this file has it where others look for it. */
    List<MemoryDigest> memory() {
        boolean withoutFirmware =
                origin == Origin.LINUX && (kind == Kind.KDUMP || kind == Kind.FLATTENED_KDUMP);
        return truth().memory().stream()
                .filter(piece -> !withoutFirmware || piece.address() < FIRMWARE)
                .toList();
    }

    private Truth write(Guest guest) {
        for (WrittenCore core : ALL) {
            if (core.origin == origin) {
                // A test before this one may have failed in the middle.
                delete(core.path());
                core.writer.write(guest, core.path(), Progress.none());
            }
        }
        return new Truth(
                List.copyOf(guest.memory().regions()),
                MemoryDigest.of(guest.memory()),
                guest.machineMemory().map(MemoryDigest::of).orElse(List.of()),
                guest.vcpus().stream().map(Vcpu::registers).toList());
    }

    private static void delete(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A copy of this VMCore in which EI_VERSION is 1, as the ELF standard has it, and not 0, as VirtualBox has it. */
    Path copyWithStandardVersion(Path folder) {
        Path copy = folder.resolve("standard-version.core");
        try {
            Files.copy(file(), copy, StandardCopyOption.REPLACE_EXISTING);
            try (FileChannel channel = FileChannel.open(copy, StandardOpenOption.WRITE)) {
                channel.write(ByteBuffer.wrap(new byte[] {1}), 6);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return copy;
    }

    /** What {@code verify} says about this file in one of its checks. */
    Check check(String id) {
        try (FileBytes bytes = FileBytes.open(file())) {
            return Guests.recognize(bytes).verify(bytes, false, Progress.none()).stream()
                    .filter(check -> check.id().equals(id))
                    .findFirst()
                    .orElseThrow();
        }
    }

    private static Path resource(String name) {
        try (InputStream stream =
                Objects.requireNonNull(QemuGuest.class.getResourceAsStream("/readers/" + name), name)) {
            Path copy = FOLDER.resolve(name);
            Files.copy(stream, copy, StandardCopyOption.REPLACE_EXISTING);
            return copy;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public String toString() {
        return (origin + "-" + name).toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9.-]", "-");
    }
}
