package dev.guestcore.kernel;

import dev.guestcore.Guest;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.ElfMachine;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.facts.XenFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.text.ShellWords;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * How to open a guest in one debugger. {@code vmlinux} in a command stands for the kernel's file with debug
 * information.
 *
 * @param tool the debugger: "crash", "drgn", "volatility3", "gdb"
 * @param conversion a command to run first, if the debugger cannot open the file as it is
 * @param command the command that opens it
 * @param reason the reason, for the user
 */
public record DebuggerAdvice(String tool, Optional<String> conversion, String command, String reason) {

    /** A raw image that is one piece of memory, and where that begins. */
    private static final Pattern FLAT = Pattern.compile("flat at (0x[0-9a-f]+)");

    private static final long CR4_LA57 = 1L << 12;

    /** {@code __START_KERNEL_map}: where phys_base is mapped to. */
    private static final long IMAGE = 0xffffffff80000000L;

    /** Several files of one dump. */
    private static final Pattern SPLIT = Pattern.compile("split:(.+)");

    /** Of a source that is named by more than a path. */
    private static final Pattern SCHEME = Pattern.compile("(raw|split):");

    /** What the names of compressed files end with, which is left out of the name of what comes of them. */
    private static final Pattern COMPRESSED = Pattern.compile("(.+)\\.(gz|bz2|xz|lzo|zst|lz4)");

    /** Checks for null. */
    public DebuggerAdvice {
        Objects.requireNonNull(tool);
        Objects.requireNonNull(conversion);
        Objects.requireNonNull(command);
        Objects.requireNonNull(reason);
    }

    /**
     * Advice for a Linux guest; empty for any other, for which these tools have no use, and for what came through a pipe,
     * which nobody can read again.
     *
     * @param guest the guest
     * @param location what was opened: path of the file, or a live source
     * @param facts of the guest's kernel
     * @param format what debuggers make of its format, or of live guests
     */
    public static List<DebuggerAdvice> of(Guest guest, String location, KernelFacts facts, DebuggerSupport format) {
        if (facts.release().isEmpty() || isPath(location) && FileBytes.isStream(Path.of(location))) {
            return List.of();
        }
        boolean flattened = guest.provenance().layout().contains("flattened");
        Matcher flat = FLAT.matcher(guest.provenance().layout());
        Optional<XenFacts> xen = guest.facts(XenFacts.class);
        List<DebuggerAdvice> advice = new ArrayList<>();
        // Debuggers look for the note in the file; that memory has the same text does not help them.
        boolean note = guest.facts(VmcoreInfoFacts.class).isPresent();
        if (guest.machineMemory().isPresent() && xen.isPresent()) {
            // Its page tables hold machine frames: only a dump-core carries them, and drgn reads none.
            advice.add(format.hasMachineFrames() && !isCompressed(guest, location)
                    ? crashOfParavirtualized(location, xen.get(), Optional.empty())
                    : crashOfParavirtualized(
                            target(format, location, "xen"), xen.get(),
                            Optional.of(conversion(format, location, "xen"))));
        } else if (isCompressed(guest, location)) {
            String options = note ? "" : crashOptions(facts);
            advice.add(converted(
                    "crash", format, location, "crash " + options + "vmlinux ", "crash reads no compressed file"));
            advice.add(converted("drgn", format, location, "drgn -s vmlinux -c ", "drgn reads no compressed file"));
        } else {
            advice.add(flat.lookingAt() && otherMachine(guest, facts).isEmpty()
                    ? crashOfRawImage(guest.provenance().source() + "@" + flat.group(1), facts)
                    : crash(format, location, facts, note));
            boolean unseen = format.needsProgramHeaders()
                    && !guest.facts(ElfFacts.class).map(ElfFacts::kernelAddresses).orElse(false);
            if (!note || !unseen || canBeSeen(guest, facts)) {
                boolean isRead = format.drgnOpens();
                String why = flattened
                        ? "drgn does not read a flattened dump"
                        : !note && facts.vmcoreInfo().isPresent() && isRead
                                ? "drgn needs VMCOREINFO in a note; a new ELF core gets the one that is in memory"
                                : "";
                advice.add(why.isEmpty()
                        ? drgn(format, location, note, unseen)
                        : converted("drgn", format, location, "drgn -s vmlinux -c ", why));
            }
        }
        if (fiveLevels(guest, facts)) {
            advice.set(0, advice.getFirst().alsoBecause("Volatility 3 does not read page tables of five levels"));
        } else if (guest.machineMemory().isEmpty()) {
            volatility(format, location).ifPresent(advice::add);
        }
        gdb(guest, location, facts).ifPresent(advice::add);
        return otherMachine(guest, facts)
                .map(machine -> advice.stream().map(one -> one.naming(machine)).toList())
                .orElse(advice);
    }

    /** What an ELF core has to be told of a source that names no processor, if its kernel is not one for x86. */
    private static Optional<String> otherMachine(Guest guest, KernelFacts facts) {
        return guest.architecture() == Architecture.UNKNOWN && guest.facts(ElfFacts.class).isEmpty()
                ? facts.vmcoreInfo()
                        .flatMap(info -> Architectures.machineOfVmcoreInfo(info.value().text()))
                        .filter(machine -> !Architectures.X86.machines().contains(machine))
                        .map(ElfMachine::label)
                : Optional.empty();
    }

    private DebuggerAdvice naming(String machine) {
        return new DebuggerAdvice(
                tool,
                conversion.map(typed -> typed.replaceFirst(" --to elf$", " --machine " + machine + " --to elf")),
                command,
                reason);
    }

    private static boolean isPath(String location) {
        try {
            return !Path.of(location).toString().isEmpty();
        } catch (InvalidPathException e) {
            return false;
        }
    }

    /** Whether an ELF core that we write of the guest has the kernel's virtual addresses in its program headers. */
    private static boolean canBeSeen(Guest guest, KernelFacts facts) {
        if (!guest.architecture().mayBe(Architectures.X86)) {
            return false;
        }
        return hasTables(facts) || facts.vmcoreInfo()
                .map(note -> note.value().fields())
                .flatMap(fields -> fields.physicalBase().isPresent() && fields.symbol("_stext").isPresent()
                        ? Optional.of(fields.symbol("_stext").getAsLong() - IMAGE + fields.physicalBase().getAsLong())
                        : Optional.<Long>empty())
                .filter(start -> guest.memory().runAt(start).state().isReadable())
                .isPresent();
    }

    private static boolean hasTables(KernelFacts facts) {
        return facts.pageTableRoot()
                .filter(root -> root.confidence() != Derived.Confidence.DOUBTFUL)
                .isPresent();
    }

    /** Whether any of the files that were opened is. */
    private static boolean isCompressed(Guest guest, String location) {
        Matcher split = SPLIT.matcher(location);
        String files = split.matches()
                ? split.group(1)
                : SCHEME.matcher(location).lookingAt() ? guest.provenance().source() : location;
        return Stream.of(split.matches() ? files.split(",") : new String[] {files})
                .filter(DebuggerAdvice::isPath)
                .anyMatch(file -> FileBytes.isCompressed(Path.of(file)));
    }

    private DebuggerAdvice alsoBecause(String more) {
        return new DebuggerAdvice(tool, conversion, command, reason + "; " + more);
    }

    private static boolean fiveLevels(Guest guest, KernelFacts facts) {
        boolean told = facts.vmcoreInfo()
                .flatMap(note -> note.value().fields().fiveLevels())
                .orElse(false);
        return guest.architecture().mayBe(Architectures.X86)
                && (told || guest.vcpus().stream()
                        .map(Vcpu::registers)
                        .anyMatch(registers -> registers.knows(X86.CR4) && (registers.get(X86.CR4) & CR4_LA57) != 0));
    }

    /** Only where the file that there is would not do: Volatility finds the kernel by its banner. */
    private static Optional<DebuggerAdvice> volatility(DebuggerSupport format, String location) {
        String reason = format.volatilityReason();
        return reason.isEmpty()
                ? Optional.empty()
                : Optional.of(new DebuggerAdvice(
                        "volatility3",
                        Optional.of(conversion(format, location, "lime")),
                        "vol -f " + ShellWords.quoted(target(format, location, "lime")) + " banners.Banners",
                        reason));
    }

    private static DebuggerAdvice crash(DebuggerSupport format, String location, KernelFacts facts, boolean note) {
        Matcher split = SPLIT.matcher(location);
        if (split.matches()) {
            // crash takes the files of a split dump one behind the other.
            String files = Stream.of(split.group(1).split(","))
                    .map(ShellWords::quoted)
                    .collect(Collectors.joining(" "));
            return new DebuggerAdvice(
                    "crash",
                    Optional.empty(),
                    "crash " + (note ? "" : crashOptions(facts)) + "vmlinux " + files,
                    "crash takes all files of a split dump");
        }
        if (!format.crashOpens()) {
            return converted(
                    "crash", format, location, "crash " + crashOptions(facts) + "vmlinux ", format.crashReason());
        }
        boolean told = note && format.crashTakesNote();
        String withoutNote = format.crashTakesNote()
                ? "without a VMCOREINFO note, crash must be told where the kernel is"
                : format.crashReason();
        return new DebuggerAdvice(
                "crash",
                Optional.empty(),
                "crash " + (told ? "" : crashOptions(facts)) + "vmlinux " + ShellWords.quoted(location),
                told ? "crash takes the load address from VMCOREINFO" : withoutNote);
    }

    private static DebuggerAdvice crashOfRawImage(String place, KernelFacts facts) {
        return new DebuggerAdvice(
                "crash",
                Optional.empty(),
                "crash " + crashOptions(facts) + "vmlinux " + ShellWords.quoted(place),
                "crash takes a raw image with its address, and must be told where the kernel is");
    }

    private static DebuggerAdvice crashOfParavirtualized(
            String location, XenFacts xen, Optional<String> conversion) {
        boolean dense = xen.frames().map(DebuggerAdvice::isDense).orElse(false);
        return new DebuggerAdvice(
                "crash",
                conversion,
                "crash vmlinux " + ShellWords.quoted(location),
                dense
                        ? "crash reads the memory through .xen_p2m"
                        : "crash takes the index in .xen_p2m for the frame number and may fail: this table has holes");
    }

    private static boolean isDense(FrameTable frames) {
        for (long i = 0; i < frames.size(); i++) {
            if (frames.pfn(i) != i) {
                return false;
            }
        }
        return true;
    }

    private static DebuggerAdvice drgn(DebuggerSupport format, String location, boolean note, boolean unseen) {
        String open = "drgn -s vmlinux -c ";
        if (SPLIT.matcher(location).matches()) {
            return converted("drgn", format, location, open, "drgn reads one file, and a split dump has several");
        }
        if (note && unseen) {
            return converted(
                    "drgn", format, location, open, "drgn needs the kernel's virtual address in a"
                            + " program header, and this core has none; a new ELF core gets one");
        }
        return format.drgnOpens()
                ? new DebuggerAdvice(
                        "drgn",
                        Optional.empty(),
                        open + ShellWords.quoted(location),
                        note
                                ? "drgn takes the load address from VMCOREINFO"
                                : "without a VMCOREINFO note, drgn reads physical memory only")
                : converted("drgn", format, location, open, format.drgnReason());
    }

    /**
     * Per-CPU variables are not moved by KASLR, unlike all else: their section stays at 0, where vmlinux has one. gdb asks
     * before it adds symbols unless told not to.
     */
    private static Optional<DebuggerAdvice> gdb(Guest guest, String location, KernelFacts facts) {
        boolean registers = guest.vcpus().stream().anyMatch(vcpu -> vcpu.registers().knows(X86.RIP));
        boolean virtual = hasTables(facts);
        if (!guest.architecture().mayBe(Architectures.X86) || !registers && !virtual) {
            return Optional.empty();
        }
        String offset = facts.kaslrOffset()
                .filter(found -> found.value() != 0)
                .map(found -> hex(found.value()))
                .orElse("");
        String symbols = offset.isEmpty()
                ? ShellWords.quoted("symbol-file vmlinux")
                : "'set confirm off' -ex " + ShellWords.quoted(
                        "add-symbol-file vmlinux -o " + offset + " -s .data..percpu 0");
        String remote = "target remote | guestcore gdb " + ShellWords.quoted(location) + " --stdio";
        String what = registers
                ? virtual ? "every vCPU's registers and virtual memory" : "every vCPU's registers"
                : "the kernel's virtual memory; this source has no registers";
        return Optional.of(new DebuggerAdvice(
                "gdb",
                Optional.empty(),
                "gdb -ex " + symbols + " -ex " + ShellWords.quoted(remote),
                "guestcore gives gdb " + what));
    }

    private static DebuggerAdvice converted(
            String tool, DebuggerSupport format, String location, String open, String reason) {
        String target = target(format, location, "elf");
        return new DebuggerAdvice(
                tool, Optional.of(conversion(format, location, "elf")), open + ShellWords.quoted(target), reason);
    }

    private static String conversion(DebuggerSupport format, String location, String to) {
        String verb = format.isFile() ? "convert " : "capture ";
        return "guestcore " + verb + ShellWords.quoted(location) + " -o "
                + ShellWords.quoted(target(format, location, to)) + " --to " + to;
    }

    private static String target(DebuggerSupport format, String location, String to) {
        if (!format.isFile() || SCHEME.matcher(location).lookingAt()) {
            return "guest." + to;
        }
        Matcher compressed = COMPRESSED.matcher(location);
        return (compressed.matches() ? compressed.group(1) : location) + "." + to;
    }

    /** Options that tell crash where the kernel is; empty where it is where it was linked for. */
    private static String crashOptions(KernelFacts facts) {
        String kaslr = facts.kaslrOffset()
                .filter(found -> found.value() != 0)
                .map(found -> "--kaslr=" + hex(found.value()) + " ")
                .orElse("");
        String base = facts.physicalBase()
                .filter(found -> found.value() != 0)
                .map(found -> "-m phys_base=" + hex(found.value()) + " ")
                .orElse("");
        return kaslr + base;
    }

    private static String hex(long value) {
        return "0x" + Long.toHexString(value);
    }
}
