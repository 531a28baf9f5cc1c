package dev.guestcore.fuzz;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.facts.VmcoreInfoFields;
import dev.guestcore.kernel.DebuggerAdvice;
import dev.guestcore.kernel.KernelFacts;
import dev.guestcore.kernel.VmcoreInfo;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.Patterns;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/** VMCOREINFO: its fields, the search for it in memory, and what is concluded from it. */
final class VmcoreInfoTarget implements Target {

    @Override
    public String name() {
        return "vmcoreinfo";
    }

    @Override
    public String title() {
        return "VMCOREINFO and what is concluded from it";
    }

    /** The first byte chooses what is done; the rest is the text, or memory with it. */
    @Override
    public void run(byte[] input) {
        if (input.length == 0) {
            return;
        }
        byte[] bytes = Arrays.copyOfRange(input, 1, input.length);
        try {
            switch (input[0] & 3) {
                case 0 -> conclude(bytes, false);
                case 1 -> conclude(bytes, true);
                case 2 -> {
                    byte[] page = Arrays.copyOf(bytes, 4096);
                    Guest guest = Guest.builder().ram(0x1000, MemorySegment.ofArray(page)).build();
                    VmcoreInfo.find(guest.memory(), Progress.none()).ifPresent(found -> {
                        GuestWalk.require(found.address() >= 0x1000 && found.address() < 0x2000, "a place", found);
                        KernelFacts.with(guest, found);
                    });
                }
                default -> fields(new String(bytes, StandardCharsets.ISO_8859_1));
            }
        } catch (GuestcoreException e) {
            GuestWalk.requireOneLine(e);
        }
    }

    private static void fields(String text) {
        VmcoreInfoFields fields = VmcoreInfoFields.parse(text);
        fields.release();
        fields.kernelOffset();
        for (String key : fields.values().keySet()) {
            GuestWalk.require(fields.value(key).isPresent(), "a key without value", key);
            String name = key.replaceFirst("^[A-Z]+\\(", "").replaceFirst("\\)$", "");
            fields.symbol(name);
            fields.number(name);
        }
    }

    private static void conclude(byte[] text, boolean asNote) {
        var builder = Guest.builder().ram(0, MemorySegment.ofArray(new byte[4096])).vcpu(Patterns.longMode(1));
        if (asNote) {
            builder.facts(new VmcoreInfoFacts(text));
        }
        Guest guest = builder.build();
        guest.facts().forEach(facts -> facts.describe());
        KernelFacts facts =
                asNote ? KernelFacts.glance(guest) : KernelFacts.with(guest, new VmcoreInfo(0x1000, text));
        DebuggerAdvice.of(guest, "guest.core", facts, Guests.debuggers(guest))
                .forEach(advice -> GuestWalk.require(!advice.reason().isEmpty(), "advice without a reason", advice));
    }

    @Override
    public List<byte[]> seeds() {
        String named = "~~~~~~~~~~~~VMCOREINFO~~" + Seeds.VMCOREINFO;
        byte[] note = named.replace('~', '\0').getBytes(StandardCharsets.US_ASCII);
        note[0] = 11;
        note[4] = (byte) Seeds.VMCOREINFO.length();
        note[5] = (byte) (Seeds.VMCOREINFO.length() >> 8);
        byte[] text = Seeds.VMCOREINFO.getBytes(StandardCharsets.US_ASCII);
        return List.of(with(0, text), with(1, text), with(2, text), with(2, note), with(3, text));
    }

    private static byte[] with(int choice, byte[] rest) {
        byte[] input = new byte[rest.length + 1];
        input[0] = (byte) choice;
        System.arraycopy(rest, 0, input, 1, rest.length);
        return input;
    }

    @Override
    public List<byte[]> dictionary() {
        return Seeds.words(
                "OSRELEASE=", "PAGESIZE=4096\n", "SYMBOL(", "NUMBER(phys_base)=", "KERNELOFFSET=", "CRASHTIME=",
                "SYMBOL(init_uts_ns)=", "SYMBOL(swapper_pg_dir)=", "SYMBOL(_stext)=", "NUMBER(pgtable_l5_enabled)=",
                "NUMBER(KERNEL_IMAGE_SIZE)=", "ffffffffffffffff", "-1", "\r\n", "=", "\n");
    }

    @Override
    public int longest() {
        return 2048;
    }
}
