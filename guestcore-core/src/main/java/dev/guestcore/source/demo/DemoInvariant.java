package dev.guestcore.source.demo;

import dev.guestcore.Guest;
import dev.guestcore.PageState;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * What is true in the demo guest at every instant between two instructions, and so in every capture of it, live or read
 * back from a file of any format.
 *
 * <p>Each vCPU counts rounds in rax and keeps 1 + 2 + … + rax in rbx. In each round it writes all 6,144 words of its 12
 * own pages, which lie spread below 640 KiB, at 3 MiB and above 4 GiB: a word is rbx xor its own address. So from rip,
 * rax and the loop counters rcx and r11 follow the value of every other general register that the program uses and of
 * every word: those that the round has passed hold the new sum, those in front of it the old one. Once a round each
 * vCPU also increments a counter that all share, which therefore is the sum of all rax, less those that are about to
 * increment it.
 *
 * <p>The vCPU has its own number in r14. Words in unreadable pages are not checked.
 */
public final class DemoInvariant {

    private static final ValueLayout.OfLong U64 =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final X86[] NEEDED = {
        X86.RAX, X86.RBX, X86.RCX, X86.RDX, X86.RSI, X86.RDI, X86.R8, X86.R9, X86.R10, X86.R11, X86.R14, X86.R15,
        X86.RIP, X86.RFLAGS
    };
    private static final long ZERO_FLAG = 1 << 6;

    private final Guest guest;
    private final List<String> violations = new ArrayList<>();

    private DemoInvariant(Guest guest) {
        this.guest = guest;
    }

    /**
     * Checks a capture of the demo guest. The guest is only read.
     *
     * @return what does not hold, a line each; empty if the capture is of one instant
     */
    public static List<String> check(Guest guest) {
        DemoInvariant check = new DemoInvariant(guest);
        check.all();
        return List.copyOf(check.violations);
    }

    private void all() {
        if (guest.vcpus().isEmpty()) {
            violations.add("there is no vCPU");
        }
        Optional<byte[]> code = bytes(DemoLayout.CODE, DemoProgram.code().length);
        if (code.isPresent() && !Arrays.equals(code.get(), DemoProgram.code())) {
            violations.add("memory at " + hex(DemoLayout.CODE) + " is not the demo program");
        }
        long rounds = 0;
        for (Vcpu vcpu : guest.vcpus()) {
            int before = violations.size();
            RegisterState registers = vcpu.registers();
            for (X86 needed : NEEDED) {
                if (!registers.knows(needed)) {
                    violations.add("vCPU " + vcpu.index() + ": register " + needed.label() + " is unknown");
                }
            }
            if (violations.size() == before) {
                new OneVcpu(vcpu.index(), registers).check();
                boolean counted = registers.get(X86.RIP) != DemoLayout.CODE + DemoProgram.INC_COUNTER;
                rounds += registers.get(X86.RAX) - (counted ? 0 : 1);
            }
        }
        Optional<byte[]> counter = bytes(DemoLayout.COUNTER, Long.BYTES);
        if (counter.isPresent()) {
            long value = MemorySegment.ofArray(counter.get()).get(U64, 0);
            if (value != rounds) {
                violations.add("shared counter: expected " + hex(rounds) + ", found " + hex(value));
            }
        }
    }

    /** The bytes, or empty where the guest says that it cannot read them. */
    private Optional<byte[]> bytes(long address, int length) {
        byte[] bytes = new byte[length];
        if (guest.memory().readAvailable(address, MemorySegment.ofArray(bytes)) == length) {
            return Optional.of(bytes);
        }
        if (guest.memory().runAt(address).state() == PageState.ABSENT) {
            violations.add("there is no memory at " + hex(address));
        }
        return Optional.empty();
    }

    private static String hex(long value) {
        return "0x" + Long.toHexString(value);
    }

    /** The check of one vCPU. */
    private final class OneVcpu {

        private final int index;
        private final RegisterState registers;

        /** Number of own pages that the round is through with, and words of the next one. */
        private long pages;

        private long words;

        OneVcpu(int index, RegisterState registers) {
            this.index = index;
            this.registers = registers;
        }

        void check() {
            long number = registers.get(X86.R14);
            if (number < 0 || number >= DemoLayout.MOST_VCPUS) {
                violation("r14", "the number of a vCPU", number);
                return;
            }
            int vcpu = (int) number;
            expect(X86.R8, DemoLayout.pageList(vcpu));
            expect(X86.R9, DemoLayout.OWN_PAGES);
            expect(X86.R10, DemoLayout.WORDS_PER_PAGE);
            expect(X86.R15, DemoLayout.COUNTER);
            long position = registers.get(X86.RIP) - DemoLayout.CODE;
            if (position < 0 || position > DemoProgram.JUMP_ROUND || !follow((int) position, vcpu)) {
                violation("rip", "the start of an instruction of the demo program", registers.get(X86.RIP));
                return;
            }
            long round = registers.get(X86.RAX);
            boolean summed = position != DemoProgram.INC_COUNTER && position != DemoProgram.ADD_SUM;
            expect(X86.RBX, DemoProgram.sumAfter(summed ? round : round - 1));
            memory(vcpu, round);
        }

        /**
         * Derives how far the round is, and checks the registers that follow from it.
         *
         * @return whether an instruction starts at {@code position}
         */
        private boolean follow(int position, int vcpu) {
            switch (position) {
                case DemoProgram.INC_ROUND -> pages = DemoLayout.OWN_PAGES;
                case DemoProgram.INC_COUNTER, DemoProgram.ADD_SUM, DemoProgram.LOAD_LIST -> pages = 0;
                case DemoProgram.LOAD_PAGES -> {
                    pages = 0;
                    expect(X86.RSI, DemoLayout.pageList(vcpu));
                }
                case DemoProgram.LOAD_PAGE -> pagesLeft(vcpu, 1);
                case DemoProgram.LOAD_WORDS -> {
                    pagesLeft(vcpu, 1);
                    expectAddress(vcpu, 0);
                }
                case DemoProgram.COPY_SUM -> inPage(vcpu, 0, 1);
                case DemoProgram.XOR_ADDRESS -> {
                    inPage(vcpu, 0, 1);
                    expect(X86.RDX, registers.get(X86.RBX));
                }
                case DemoProgram.STORE_WORD -> {
                    inPage(vcpu, 0, 1);
                    expect(X86.RDX, registers.get(X86.RBX) ^ registers.get(X86.RDI));
                }
                case DemoProgram.NEXT_WORD -> {
                    inPage(vcpu, 0, 1);
                    expect(X86.RDX, registers.get(X86.RBX) ^ registers.get(X86.RDI));
                    words++;
                }
                case DemoProgram.DEC_WORDS -> {
                    inPage(vcpu, 1, 1);
                    words++;
                }
                case DemoProgram.JUMP_WORD -> {
                    inPage(vcpu, 0, 0);
                    expectZeroFlag(X86.R11);
                }
                case DemoProgram.NEXT_PAGE -> {
                    pagesLeft(vcpu, 1);
                    expect(X86.R11, 0);
                    pages++;
                }
                case DemoProgram.DEC_PAGES -> {
                    pagesLeft(vcpu, 1);
                    pages++;
                }
                case DemoProgram.JUMP_PAGE -> {
                    pagesLeft(vcpu, 0);
                    expectZeroFlag(X86.RCX);
                }
                case DemoProgram.JUMP_ROUND -> {
                    pages = DemoLayout.OWN_PAGES;
                    expect(X86.RCX, 0);
                }
                default -> {
                    return false;
                }
            }
            return true;
        }

        private void pagesLeft(int vcpu, int least) {
            long left = registers.get(X86.RCX);
            if (left < least || left > DemoLayout.OWN_PAGES) {
                violation("rcx", least + " to " + DemoLayout.OWN_PAGES, left);
                left = DemoLayout.OWN_PAGES;
            }
            pages = DemoLayout.OWN_PAGES - left;
            int passed = registers.get(X86.RIP) == DemoLayout.CODE + DemoProgram.DEC_PAGES ? 1 : 0;
            expect(X86.RSI, DemoLayout.pageList(vcpu) + (pages + passed) * Long.BYTES);
        }

        private void inPage(int vcpu, int ahead, int least) {
            pagesLeft(vcpu, 1);
            long left = registers.get(X86.R11);
            if (left < least || left > DemoLayout.WORDS_PER_PAGE) {
                violation("r11", least + " to " + DemoLayout.WORDS_PER_PAGE, left);
                left = DemoLayout.WORDS_PER_PAGE;
            }
            words = DemoLayout.WORDS_PER_PAGE - left;
            expectAddress(vcpu, words + ahead);
        }

        private void expectAddress(int vcpu, long word) {
            expect(X86.RDI, DemoLayout.ownPage(vcpu, (int) pages) + word * Long.BYTES);
        }

        private void expectZeroFlag(X86 counter) {
            boolean zero = (registers.get(X86.RFLAGS) & ZERO_FLAG) != 0;
            if (zero != (registers.get(counter) == 0)) {
                violation("rflags", "a zero flag that agrees with " + counter.label(), registers.get(X86.RFLAGS));
            }
        }

        private void memory(int vcpu, long round) {
            long position = registers.get(X86.RIP) - DemoLayout.CODE;
            long sum = DemoProgram.sumAfter(round);
            long sumBefore = DemoProgram.sumAfter(round - 1);
            long done = pages * DemoLayout.WORDS_PER_PAGE + words;
            for (int page = 0; page < DemoLayout.OWN_PAGES; page++) {
                long address = DemoLayout.ownPage(vcpu, page);
                Optional<byte[]> bytes = bytes(address, DemoLayout.PAGE_SIZE);
                if (bytes.isEmpty()) {
                    continue;
                }
                MemorySegment content = MemorySegment.ofArray(bytes.get());
                for (int word = 0; word < DemoLayout.WORDS_PER_PAGE; word++) {
                    long place = address + (long) word * Long.BYTES;
                    boolean passed = (long) page * DemoLayout.WORDS_PER_PAGE + word < done;
                    long expected = (passed ? sum : sumBefore) ^ place;
                    long found = content.get(U64, (long) word * Long.BYTES);
                    if (found != expected) {
                        violation("memory at " + hex(place) + " (round " + round + ", program offset " + position + ")",
                                hex(expected), found);
                        break;
                    }
                }
            }
        }

        private void expect(X86 register, long expected) {
            long found = registers.get(register);
            if (found != expected) {
                violation(register.label(), hex(expected), found);
            }
        }

        private void violation(String what, String expected, long found) {
            violations.add("vCPU " + index + ": " + what + ": expected " + expected + ", found " + hex(found));
        }
    }
}
