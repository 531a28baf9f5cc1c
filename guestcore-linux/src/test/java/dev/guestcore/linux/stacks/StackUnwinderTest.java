package dev.guestcore.linux.stacks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.linux.stacks.MadeKernel.Reg;
import dev.guestcore.linux.stacks.MadeKernel.Type;
import dev.guestcore.linux.stacks.StackFrame.FoundBy;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class StackUnwinderTest {

    private static final int USER_CS = 0x33;
    private static final int KERNEL_CS = 0x10;

    private static List<String> names(StackTrace trace) {
        return trace.frames().stream().map(StackFrame::toString).toList();
    }

    private static RegisterState registers(long ip, int stackOffset, long bp) {
        return RegisterState.builder()
                .set(X86.RIP, ip)
                .set(X86.RSP, MadeKernel.STACK + stackOffset)
                .set(X86.RBP, bp)
                .set(X86.CS, KERNEL_CS)
                .build();
    }

    /** Writes saved registers whose numbers tell which they are, and gives where they begin. */
    private static void savedRegisters(MadeKernel kernel, int at, long ip, int cs, long sp, long bp) {
        for (int i = 0; i < 15; i++) {
            kernel.word(at + i * 8, 0x100 + i);
        }
        kernel.word(at + 32, bp);
        kernel.word(at + 128, ip).word(at + 136, cs).word(at + 144, 0x246).word(at + 152, sp).word(at + 160, 0x2b);
    }

    @ParameterizedTest
    @EnumSource(OrcVersion.class)
    void findsTheVersion(OrcVersion version) {
        MadeKernel kernel = new MadeKernel(version);
        kernel.function("irq", Reg.SP, 0, Reg.UNDEFINED, 0, Type.REGS);
        kernel.outermost("ret_from_fork");

        assertEquals(version, kernel.unwinder().kernelTable().orElseThrow().version());
    }

    @ParameterizedTest
    @EnumSource(OrcVersion.class)
    void unwindsATaskThatSleeps(OrcVersion version) {
        MadeKernel kernel = new MadeKernel(version);
        long schedule = kernel.function("schedule", Reg.BP, 16, Reg.PREV_SP, -16, Type.CALL);
        long worker = kernel.function("worker_thread", Reg.SP, 32, Reg.PREV_SP, -24, Type.CALL);
        long fork = kernel.outermost("ret_from_fork");
        int task = 0x100;
        kernel.word(task + 40, MadeKernel.STACK + 0x180).word(task + 48, schedule + 0x44);
        kernel.word(0x180, 0x77).word(0x188, worker + 0x12);
        kernel.word(0x188 + 8 + 24, fork + 0x22);

        StackTrace trace = kernel.unwinder().ofSleeping(MadeKernel.STACK + task);

        assertEquals(
                List.of("schedule+0x44", "worker_thread+0x12", "ret_from_fork+0x22"), names(trace), trace.reason());
        assertEquals(StackTrace.End.KERNEL, trace.end());
        assertEquals(
                List.of(FoundBy.REGISTERS, FoundBy.ORC, FoundBy.ORC),
                trace.frames().stream().map(StackFrame::foundBy).toList());
        assertEquals(MadeKernel.STACK + 0x190, trace.frames().get(1).stackPointer());
    }

    @ParameterizedTest
    @EnumSource(OrcVersion.class)
    void goesThroughAnInterruptToUserMode(OrcVersion version) {
        MadeKernel kernel = new MadeKernel(version);
        long handler = kernel.function("handler", Reg.SP, 8, Reg.UNDEFINED, 0, Type.CALL);
        long entry = kernel.function("irq_entry", Reg.SP, 0, Reg.UNDEFINED, 0, Type.REGS);
        long busy = kernel.function("busy", Reg.BP, 16, Reg.PREV_SP, -16, Type.CALL);
        long syscall = kernel.function("syscall_entry", Reg.SP, 8, Reg.UNDEFINED, 0, Type.REGS);
        kernel.word(0x100, entry + 5);
        savedRegisters(kernel, 0x108, busy, KERNEL_CS, MadeKernel.STACK + 0x800, MadeKernel.STACK + 0x810);
        kernel.word(0x810, 0x99).word(0x818, syscall + 0x6e);
        savedRegisters(kernel, 0x828, 0x401234, USER_CS, 0x7fff1000L, 0x55);

        StackTrace trace = kernel.unwinder().ofRegisters(registers(handler + 3, 0x100, 0));

        assertEquals(
                List.of("handler+0x3", "irq_entry+0x5", "busy", "syscall_entry+0x6e"), names(trace), trace.reason());
        assertEquals(StackTrace.End.USER, trace.end());
        assertTrue(trace.frames().get(2).interrupted());
        RegisterState user = trace.user().orElseThrow();
        assertEquals(0x401234, user.get(X86.RIP));
        assertEquals(0x7fff1000L, user.get(X86.RSP));
        assertEquals(0x55, user.get(X86.RBP));
        assertEquals(0x10e, user.get(X86.RDI));
    }

    @ParameterizedTest
    @EnumSource(OrcVersion.class)
    void knowsOnlyWhatTheProcessorPushed(OrcVersion version) {
        MadeKernel kernel = new MadeKernel(version);
        long early = kernel.function("exception_entry", Reg.SP, 8, Reg.UNDEFINED, 0, Type.PARTIAL);
        kernel.word(0x108, 0x401000).word(0x110, USER_CS).word(0x120, 0x7fff2000L);

        StackTrace trace = kernel.unwinder().ofRegisters(registers(early, 0x100, 1));

        assertEquals(StackTrace.End.USER, trace.end(), trace.reason());
        RegisterState user = trace.user().orElseThrow();
        assertEquals(0x401000, user.get(X86.RIP));
        assertFalse(user.knows(X86.RAX));
    }

    @ParameterizedTest
    @EnumSource(OrcVersion.class)
    void followsStacksThatARegisterOrAWordPointsTo(OrcVersion version) {
        MadeKernel kernel = new MadeKernel(version);
        long realigned = kernel.function("realigned", Reg.R10, 0, Reg.BP, 0, Type.CALL);
        long byWord = kernel.function("on_irq_stack", Reg.SP_INDIRECT, 8, Reg.UNDEFINED, 0, Type.CALL);
        long byFrame = kernel.function("by_frame", Reg.BP_INDIRECT, -8, Reg.BP, -16, Type.CALL);
        long fork = kernel.outermost("ret_from_fork");
        RegisterState start = registers(realigned, 0x100, MadeKernel.STACK + 0x140)
                .toBuilder()
                .set(X86.R10, MadeKernel.STACK + 0x200)
                .build();
        kernel.word(0x140, MadeKernel.STACK + 0x600).word(0x1f8, byWord + 4);
        kernel.word(0x200, MadeKernel.STACK + 0x400).word(0x400, byFrame + 4);
        kernel.word(0x5f8, MadeKernel.STACK + 0x700).word(0x5f0, 0x42).word(0x6f8, fork + 1);

        StackTrace trace = kernel.unwinder().ofRegisters(start);

        assertEquals(
                List.of("realigned", "on_irq_stack+0x4", "by_frame+0x4", "ret_from_fork+0x1"),
                names(trace),
                trace.reason());
        assertEquals(StackTrace.End.KERNEL, trace.end());
    }

    @Test
    void saysWhichRegisterIsMissing() {
        MadeKernel kernel = new MadeKernel(OrcVersion.V1);
        long realigned = kernel.function("realigned", Reg.R13, 0, Reg.BP, 0, Type.CALL);

        StackTrace trace = kernel.unwinder().ofRegisters(registers(realigned, 0x100, 0));

        assertEquals(StackTrace.End.BROKEN, trace.end());
        assertEquals("r13 is needed for unwinding realigned, but was not saved", trace.reason());
    }

    @Test
    void noticesACircle() {
        MadeKernel kernel = new MadeKernel(OrcVersion.V3);
        long jumping = kernel.function("jumping", Reg.BP, 16, Reg.PREV_SP, -16, Type.CALL);
        kernel.word(0x100, MadeKernel.STACK + 0x3f00).word(0x108, jumping + 1);
        kernel.word(0x3f00, MadeKernel.STACK + 0x100).word(0x3f08, jumping + 1);

        StackTrace trace = kernel.unwinder().ofRegisters(registers(jumping, 0x80, MadeKernel.STACK + 0x100));

        assertEquals(StackTrace.End.BROKEN, trace.end());
        assertTrue(trace.reason().startsWith("the stack goes in the wrong direction, from 0x"), trace.reason());
    }

    @Test
    void tellsOfAStackThatIsNotThere() {
        MadeKernel kernel = new MadeKernel(OrcVersion.V1);
        long schedule = kernel.function("schedule", Reg.SP, 16, Reg.UNDEFINED, 0, Type.CALL);

        StackTrace trace = kernel.unwinder().ofRegisters(registers(schedule, MadeKernel.STACK_BYTES, 0));

        assertEquals(List.of("schedule"), names(trace));
        assertEquals(StackTrace.End.BROKEN, trace.end());
        assertTrue(trace.reason().contains("ffffc90000014008"), trace.reason());
    }

    @ParameterizedTest
    @EnumSource(OrcVersion.class)
    void marksGuessesBehindABreak(OrcVersion version) {
        MadeKernel kernel = new MadeKernel(version);
        long odd = kernel.unknown("odd_code");
        long caller = kernel.function("caller", Reg.SP, 8, Reg.UNDEFINED, 0, Type.CALL);
        kernel.bytes(caller + 0x20, 0xe8, 0, 0, 0, 0);
        kernel.word(0x140, caller + 0x25).word(0x148, caller + 0x30);

        StackTrace trace = kernel.unwinder().ofRegisters(registers(odd + 2, 0x100, 0));

        assertEquals("the kernel has no rule for unwinding odd_code+0x2", trace.reason());
        assertEquals(List.of("odd_code+0x2", "caller+0x25"), names(trace));
        assertEquals(FoundBy.GUESS, trace.frames().getLast().foundBy());
    }

    @Test
    void followsFramePointersWhereCodeWasMadeAtRunTime() {
        MadeKernel kernel = new MadeKernel(OrcVersion.V1);
        long fork = kernel.outermost("ret_from_fork");
        long made = 0xffffffffc0400010L;
        kernel.word(0x140, 0).word(0x148, fork + 1);

        StackTrace trace = kernel.unwinder().ofRegisters(registers(made, 0x100, MadeKernel.STACK + 0x140));

        assertEquals(List.of("0xffffffffc0400010", "ret_from_fork+0x1"), names(trace), trace.reason());
        assertEquals(FoundBy.FRAME_POINTER, trace.frames().get(1).foundBy());
    }

    @Test
    void followsFramePointersOfAKernelWithoutTable() {
        MadeKernel kernel = new MadeKernel(OrcVersion.V1);
        long schedule = kernel.outermost("schedule");
        long entry = kernel.outermost("interrupt_entry");
        long worker = kernel.outermost("worker");
        kernel.word(0x140, MadeKernel.STACK + 0x201).word(0x148, entry + 1);
        savedRegisters(kernel, 0x200, worker + 8, KERNEL_CS, MadeKernel.STACK + 0x300, MadeKernel.STACK + 0x320);
        kernel.word(0x320, 0).word(0x328, worker + 9);

        StackUnwinder unwinder = StackUnwinder.of(kernel.memoryWithoutTable(), kernel.symbols(), Optional.empty());
        StackTrace trace = unwinder.ofRegisters(registers(schedule, 0x100, MadeKernel.STACK + 0x140));

        assertEquals(
                List.of("schedule", "interrupt_entry+0x1", "worker+0x8", "worker+0x9"), names(trace), trace.reason());
        assertEquals(StackTrace.End.KERNEL, trace.end());
    }

    @Test
    void givesTheRegistersOfAProgramThatRuns() {
        RegisterState running = RegisterState.builder()
                .set(X86.RIP, 0x401000)
                .set(X86.RSP, 0x7fff0000L)
                .set(X86.CS, USER_CS)
                .build();

        StackTrace trace = new MadeKernel(OrcVersion.V1).unwinder().ofRegisters(running);

        assertEquals(new StackTrace(List.of(), StackTrace.End.USER, "", Optional.of(running)), trace);
    }

    /** Whatever a stack and registers hold, a trace ends, and one that is broken says why. */
    @ParameterizedTest
    @EnumSource(OrcVersion.class)
    void anyStackEnds(OrcVersion version) {
        MadeKernel kernel = new MadeKernel(version);
        long[] code = new long[Reg.values().length * Type.values().length];
        int made = 0;
        for (Reg base : Reg.values()) {
            for (Type type : Type.values()) {
                int offset = Long.BYTES * (made % 5 - 1);
                code[made++] = kernel.function("made_" + base + type, base, offset, Reg.BP, -offset, type);
            }
        }
        StackUnwinder unwinder = kernel.unwinder();
        SplittableRandom random = new SplittableRandom(version.ordinal());
        for (int round = 0; round < 50; round++) {
            for (int at = 0; at < MadeKernel.STACK_BYTES; at += Long.BYTES) {
                kernel.word(at, value(random, code));
            }
            RegisterState.Builder start = RegisterState.builder();
            for (int i = 0; i < 16; i++) {
                start.set(X86.general(i), value(random, code));
            }
            RegisterState registers = start.set(X86.RIP, code[random.nextInt(code.length)] + random.nextInt(0x100))
                    .set(X86.RSP, MadeKernel.STACK + random.nextInt(MadeKernel.STACK_BYTES))
                    .build();

            StackTrace trace = unwinder.ofRegisters(registers);

            assertTrue(trace.frames().size() <= StackUnwinder.MOST_FRAMES, trace::toString);
            assertEquals(trace.end() == StackTrace.End.BROKEN, !trace.reason().isEmpty(), trace::toString);
        }
    }

    private static long value(SplittableRandom random, long[] code) {
        return switch (random.nextInt(4)) {
            case 0 -> MadeKernel.STACK + random.nextInt(MadeKernel.STACK_BYTES);
            case 1, 2 -> code[random.nextInt(code.length)] + random.nextInt(0x100);
            default -> random.nextLong();
        };
    }
}
