package dev.guestcore.linux;

import dev.guestcore.arch.Architectures;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.symbols.SymbolOffset;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The code of the kernel where memory itself tells what it should be: at the places where ftrace may call, which hold a no-operation
 * unless something traces there, and at the starts of functions, which do not jump out of the kernel. Everything else would need
 * the kernel's file. Sources: {@code include/linux/ftrace.h}, {@code kernel/trace/ftrace.c} (records of places, in pages),
 * {@code arch/x86/kernel/ftrace.c}, {@code kernel/kprobes.c} of Linux; Intel's manual, volume 2 (opcodes).
 */
final class CodeCheck implements KernelCheck.Part {

    /** FTRACE_FL_ENABLED. */
    private static final long ENABLED = 1L << 31;

    private static final int MOST_PAGES = 1 << 16;

    /** A large kernel with all its modules has some hundred thousand. */
    private static final long MOST_RECORDS = 1 << 21;
    private static final int SITE = 5;
    private static final int ENTRY = 16;

    /** If more places than one in so many look wrong, it is this check that does not know the kernel. */
    private static final int TOO_MANY = 16;

    private static final byte[] NOP = HexFormat.of().parseHex("0f1f440000");
    private static final byte[] OLDER_NOP = HexFormat.of().parseHex("6666666690");
    private static final byte[] BRANCH_TARGET = HexFormat.of().parseHex("f30f1efa");
    private static final int CALL = 0xe8;
    private static final int JUMP = 0xe9;
    private static final int PUSH = 0x68;
    private static final int RETURN = 0xc3;
    private static final int BREAKPOINT = 0xcc;
    private static final int PROBE_LISTS = 64;

    private final Linux linux;
    private final Set<Long> probes = new HashSet<>();
    private final Set<Long> traced = new HashSet<>();
    private final Set<Long> wrongSites = new HashSet<>();

    CodeCheck(Linux linux) {
        this.linux = linux;
    }

    @Override
    public void look(KernelCheck.Told told) {
        if (!linux.guest().architecture().equals(Architectures.X86)) {
            throw new LinuxException("only that of x86 is known");
        }
        KernelText text = new KernelText(linux);
        findProbes(told);
        Optional<Symbol> pages = linux.symbols().find("ftrace_pages_start");
        if (pages.isPresent() && linux.requireTypes().find("struct dyn_ftrace").isPresent()) {
            try {
                lookAtSites(text, linux.pointerAt(pages.get().address()), told);
            } catch (GuestcoreException e) {
                told.problems(List.of("places of ftrace: " + e.getMessage()));
            }
        } else {
            told.notJudged("places of ftrace: this kernel has none");
        }
        lookAtFunctions(text, told);
    }

    private void findProbes(KernelCheck.Told told) {
        Optional<KernelObject> table = linux.requireTypes().find("struct kprobe").isPresent()
                ? linux.findVariable("kprobe_table")
                : Optional.empty();
        for (int i = 0; table.isPresent() && i < PROBE_LISTS; i++) {
            long place = table.get().address() + (long) i * linux.pointerSize();
            Walk<KernelObject> list = linux.object("struct hlist_head", place).chain("struct kprobe", "hlist");
            told.problems(list.about("kprobes").problems());
            list.forEach(probe -> probes.add(probe.getLong("addr")));
        }
    }

    private record Site(long address, byte[] bytes, boolean enabled) {}

    private void lookAtSites(KernelText text, long firstPage, KernelCheck.Told told) {
        KernelCheck.Told wrong = new KernelCheck.Told();
        long[] looked = {0, 0};
        Set<Long> seen = new HashSet<>();
        long size = linux.type("struct dyn_ftrace").size();
        for (long page = firstPage; page != 0;) {
            if (!seen.add(page) || seen.size() > MOST_PAGES) {
                throw new LinuxException("the list of places of ftrace does not end");
            }
            KernelObject records = linux.object("struct ftrace_page", page);
            int count = Math.clamp(records.getLong("index"), 0, Integer.MAX_VALUE);
            long start = records.getLong("records");
            if (looked[0] + count > MOST_RECORDS) {
                throw new LinuxException("there would be more than " + MOST_RECORDS);
            }
            for (int i = 0; i < count; i++) {
                site(linux.object("struct dyn_ftrace", start + i * size)).ifPresent(site -> {
                    looked[0]++;
                    if (!isGood(site)) {
                        looked[1]++;
                        wrongSites.add(site.address);
                        wrong.found(changed(text, site));
                    }
                });
            }
            page = records.getLong("next");
        }
        if (looked[1] * TOO_MANY > looked[0]) {
            told.notJudged("places of ftrace: they are not as in the kernels that are known");
        } else {
            told.take(wrong);
        }
    }

    private Optional<Site> site(KernelObject record) {
        long address = record.getLong("ip");
        byte[] bytes = new byte[SITE];
        boolean enabled = (record.getLong("flags") & ENABLED) != 0;
        if (enabled) {
            traced.add(address);
        }
        // The code of modules that are going may be gone.
        return linux.memory().readAvailable(address, MemorySegment.ofArray(bytes)) == SITE
                ? Optional.of(new Site(address, bytes, enabled))
                : Optional.empty();
    }

    private boolean isGood(Site site) {
        int first = site.bytes[0] & 0xff;
        boolean nop = Arrays.equals(site.bytes, NOP) || Arrays.equals(site.bytes, OLDER_NOP);
        return nop || site.enabled && first == CALL
                || probes.contains(site.address) && (first == BREAKPOINT || first == JUMP);
    }

    private static CheckFinding changed(KernelText text, Site site) {
        return CheckFinding.tampering(
                "kernel-text",
                "the code at the start of a function was changed, and neither ftrace nor a kprobe says so",
                site.address,
                site.enabled ? "a call" : "a no-operation, as nothing traces there",
                HexFormat.ofDelimiter(" ").formatHex(site.bytes) + " at " + text.name(site.address));
    }

    private void lookAtFunctions(KernelText text, KernelCheck.Told told) {
        long before = 0;
        for (Iterator<Symbol> symbols = linux.symbols().stream().iterator(); symbols.hasNext();) {
            Symbol symbol = symbols.next();
            if (symbol.isCode() && text.contains(symbol.address()) && symbol.address() != before) {
                before = symbol.address();
                lookAt(text, symbol, told);
            }
        }
    }

    private void lookAt(KernelText text, Symbol symbol, KernelCheck.Told told) {
        byte[] bytes = new byte[ENTRY];
        if (linux.memory().readAvailable(symbol.address(), MemorySegment.ofArray(bytes)) < ENTRY) {
            told.missing();
            return;
        }
        int start = Arrays.equals(bytes, 0, BRANCH_TARGET.length, BRANCH_TARGET, 0, BRANCH_TARGET.length)
                ? BRANCH_TARGET.length
                : 0;
        long address = symbol.address() + start;
        boolean known = traced.contains(address) || wrongSites.contains(address);
        if (known || probes.contains(address) || probes.contains(symbol.address())) {
            return;
        }
        Optional<Long> target = leaves(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN), start, address);
        if (target.isPresent() && !isCode(text, target.get())) {
            told.found(CheckFinding.tampering(
                    "kernel-text",
                    "the first instruction of " + symbol.name() + " leads out of the kernel's code",
                    address,
                    "code of the kernel",
                    HexFormat.ofDelimiter(" ").formatHex(bytes) + ", to " + text.name(target.get())));
        }
    }

    /** Where the first instructions lead, if they are one of the forms by which functions are diverted. */
    private Optional<Long> leaves(ByteBuffer code, int at, long address) {
        int first = code.get(at) & 0xff;
        int second = code.get(at + 1) & 0xff;
        if (first == JUMP || first == CALL) {
            return Optional.of(address + SITE + code.getInt(at + 1));
        }
        if (first == PUSH && (code.get(at + SITE) & 0xff) == RETURN) {
            return Optional.of((long) code.getInt(at + 1));
        }
        if (first == 0xff && second == 0x25) {
            long pointer = address + 6 + code.getInt(at + 2);
            return Optional.of(pointer);
        }
        // A register is loaded with an address, which is jumped to or pushed and returned to.
        boolean load = first == 0x48 && second >= 0xb8 && second <= 0xbf;
        if (load && at + 12 <= code.capacity()) {
            int then = code.get(at + 10) & 0xff;
            int last = code.get(at + 11) & 0xff;
            boolean jump =
                    then == 0xff && last == 0xe0 + (second - 0xb8) || then == 0x50 + (second - 0xb8) && last == RETURN;
            return jump ? Optional.of(code.getLong(at + 2)) : Optional.empty();
        }
        return Optional.empty();
    }

    /** Code of the kernel, or in the image but freed since, as for the start. */
    private boolean isCode(KernelText text, long address) {
        return text.contains(address)
                || linux.symbols()
                        .at(address)
                        .map(SymbolOffset::symbol)
                        .filter(symbol -> symbol.module().isEmpty() && symbol.isCode())
                        .isPresent();
    }
}
