package dev.guestcore.source.qemu;

import dev.guestcore.error.SourceException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.util.Optional;

/**
 * Reads the memory of another process with {@code process_vm_readv} (Linux, 64 bit). Needs the right to trace it: the
 * same user where {@code ptrace_scope} allows, or CAP_SYS_PTRACE. Thread-safe.
 */
final class ProcessMemory {

    private static final long LARGEST_CALL = 1L << 30;
    private static final int HEAP_CHUNK = 256 << 10;

    private static final int EPERM = 1;
    private static final int ESRCH = 3;
    private static final int EFAULT = 14;

    // struct iovec: base address, length; one for this process, one for the other.
    private static final long LOCAL_BASE = 0;
    private static final long LOCAL_LENGTH = 8;
    private static final long REMOTE_BASE = 16;
    private static final long REMOTE_LENGTH = 24;
    private static final long ERRNO_STATE = 32;
    private static final long CALL_FRAME = 64;

    private static final VarHandle ERRNO = Linker.Option.captureStateLayout()
            .varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final Optional<MethodHandle> READ = Linker.nativeLinker()
            .defaultLookup()
            .find("process_vm_readv")
            .filter(symbol -> ValueLayout.ADDRESS.byteSize() == Long.BYTES)
            .map(symbol -> Linker.nativeLinker()
                    .downcallHandle(
                            symbol,
                            FunctionDescriptor.of(
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.ADDRESS,
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.ADDRESS,
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.JAVA_LONG),
                            Linker.Option.captureCallState("errno")));

    private static final ThreadLocal<MemorySegment> FRAME =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(CALL_FRAME, Long.BYTES));
    private static final ThreadLocal<MemorySegment> BOUNCE =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(HEAP_CHUNK, 4096));

    private final int process;

    /** Reads of the process with that id; nothing is checked yet. */
    ProcessMemory(int process) {
        this.process = process;
    }

    /** Id of the process. */
    int process() {
        return process;
    }

    /** Whether this system has the call at all. */
    static boolean isSupported() {
        return READ.isPresent();
    }

    /**
     * Copies bytes and stops at the first page that cannot be read.
     *
     * @param address in the other process
     * @param target native memory is filled directly, a heap array by way of a buffer
     * @return how many bytes were copied
     * @throws SourceException if the process is gone or may not be read
     */
    long read(long address, MemorySegment target) {
        long done = 0;
        while (done < target.byteSize()) {
            long wanted = target.byteSize() - done;
            long copied;
            if (target.isNative()) {
                wanted = Math.min(wanted, LARGEST_CALL);
                copied = call(address + done, target.asSlice(done, wanted));
            } else {
                wanted = Math.min(wanted, HEAP_CHUNK);
                copied = call(address + done, BOUNCE.get().asSlice(0, wanted));
                MemorySegment.copy(BOUNCE.get(), 0, target, done, copied);
            }
            done += copied;
            if (copied == 0) {
                break;
            }
        }
        return done;
    }

    private long call(long address, MemorySegment target) {
        MethodHandle read = READ.orElseThrow(() -> new SourceException("this system has no process_vm_readv"));
        MemorySegment frame = FRAME.get();
        frame.set(ValueLayout.JAVA_LONG, LOCAL_BASE, target.address());
        frame.set(ValueLayout.JAVA_LONG, LOCAL_LENGTH, target.byteSize());
        frame.set(ValueLayout.JAVA_LONG, REMOTE_BASE, address);
        frame.set(ValueLayout.JAVA_LONG, REMOTE_LENGTH, target.byteSize());
        MemorySegment errnoState = frame.asSlice(ERRNO_STATE);
        long copied;
        try {
            copied = (long) read.invokeExact(
                    errnoState, process, frame.asSlice(LOCAL_BASE), 1L, frame.asSlice(REMOTE_BASE), 1L, 0L);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
        if (copied >= 0) {
            return copied;
        }
        int errno = (int) ERRNO.get(errnoState, 0L);
        return switch (errno) {
            case EFAULT -> 0;
            case ESRCH -> throw new SourceException("QEMU (process " + process + ") ended while its"
                    + " memory was read");
            case EPERM -> throw new SourceException("the memory of process " + process + " may not be read: run as the"
                    + " user of QEMU with kernel.yama.ptrace_scope 0, or with CAP_SYS_PTRACE");
            default -> throw new SourceException("process_vm_readv of process " + process + " at 0x"
                    + Long.toHexString(address) + " failed with error number " + errno);
        };
    }
}
