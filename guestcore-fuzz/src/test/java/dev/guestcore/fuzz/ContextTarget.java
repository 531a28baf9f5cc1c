package dev.guestcore.fuzz;

import dev.guestcore.cpu.RegisterState;
import dev.guestcore.internal.xen.ContextLayout;
import dev.guestcore.internal.xen.VcpuContext;
import dev.guestcore.testing.Patterns;
import java.util.Arrays;
import java.util.List;

/** Xen's vCPU contexts and the FXSAVE area in them: read, and written back over themselves. */
final class ContextTarget implements Target {

    @Override
    public String name() {
        return "xen-context";
    }

    @Override
    public String title() {
        return "Xen's vCPU contexts, there and back";
    }

    /** The first byte chooses the layout and the kind of guest; the rest is the context. */
    @Override
    public void run(byte[] input) {
        if (input.length == 0) {
            return;
        }
        ContextLayout layout = (input[0] & 1) == 0 ? ContextLayout.X86_64 : ContextLayout.X86_32;
        boolean paravirtualized = (input[0] & 2) != 0;
        byte[] element = Arrays.copyOfRange(input, 1, input.length);
        if (element.length < layout.size() && (input[0] & 4) == 0) {
            element = Arrays.copyOf(element, layout.size());
        }
        RegisterState registers = VcpuContext.decode(layout, element, paravirtualized);
        boolean online = VcpuContext.isOnline(element);
        if (element.length < layout.size()) {
            return;
        }
        byte[] same = VcpuContext.encode(layout, registers, paravirtualized, element, element.length);
        GuestWalk.require(Arrays.equals(element, same), "a context that was not changed comes back changed", registers);
        byte[] made = VcpuContext.encode(layout, registers, paravirtualized, null, layout.size());
        RegisterState again = VcpuContext.decode(layout, made, paravirtualized);
        GuestWalk.require(VcpuContext.isOnline(made), "a vCPU that was made is offline", online);
        for (var register : registers.known()) {
            GuestWalk.require(
                    again.knows(register) && Arrays.equals(again.bytes(register), registers.bytes(register)),
                    "a register that is lost in a context of its own kind: " + registers.hex(register),
                    register);
        }
    }

    @Override
    public List<byte[]> seeds() {
        byte[] wide = Patterns.bytes(5169, 3);
        byte[] narrow = Patterns.bytes(2801, 4);
        byte[] paravirtualized = Patterns.bytes(5169, 5);
        wide[0] = 0;
        narrow[0] = 1;
        paravirtualized[0] = 2;
        return List.of(wide, narrow, paravirtualized, new byte[] {0}, new byte[] {3}, new byte[] {4, 0, 1});
    }

    @Override
    public int longest() {
        return 5400;
    }

    @Override
    public int runsInCi() {
        return 10_000;
    }
}
