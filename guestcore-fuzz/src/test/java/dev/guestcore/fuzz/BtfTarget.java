package dev.guestcore.fuzz;

import dev.guestcore.Guest;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.types.Btf;
import dev.guestcore.linux.types.BtfFinder;
import dev.guestcore.linux.types.KernelMember;
import dev.guestcore.linux.types.KernelType;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** The types of a kernel and of its modules. */
final class BtfTarget implements Target {

    private static final int MOST_TYPES = 512;
    private static final int MOST_MEMBERS = 16;
    private static final String STRINGS = "~int~task_struct~comm~list~E~next~value~";

    private static final long PLACE = 0x1000;

    @Override
    public String name() {
        return "btf";
    }

    @Override
    public String title() {
        return "the kernel's types (BTF)";
    }

    /** Two bytes say where the section of the kernel ends; behind it may follow that of a module. */
    @Override
    public void run(byte[] input) {
        if (input.length < Short.BYTES) {
            return;
        }
        int size = Math.min((input[0] & 0xff) << 8 | input[1] & 0xff, input.length - Short.BYTES);
        byte[] kernel = Arrays.copyOfRange(input, Short.BYTES, Short.BYTES + size);
        byte[] module = Arrays.copyOfRange(input, Short.BYTES + size, input.length);
        try {
            walkDamaged(kernel);
            Btf types = Btf.read(MemorySegment.ofArray(kernel));
            walk(types);
            if (module.length > 0) {
                walk(Btf.readModule(MemorySegment.ofArray(module), types));
            }
        } catch (GuestcoreException e) {
            GuestWalk.requireOneLine(e);
        }
    }

    /** The same bytes in memory, where what is damaged is passed over. */
    private static void walkDamaged(byte[] kernel) {
        if (kernel.length == 0) {
            return;
        }
        try (Guest guest = Guest.builder().ram(PLACE, MemorySegment.ofArray(kernel)).build()) {
            walk(BtfFinder.at(guest.memory(), PLACE, kernel.length));
        } catch (GuestcoreException e) {
            GuestWalk.requireOneLine(e);
        }
    }

    private static void walk(Btf types) {
        for (int id = 0; id < Math.min(types.endId(), MOST_TYPES); id++) {
            try {
                look(types, types.type(id));
            } catch (GuestcoreException e) {
                GuestWalk.requireOneLine(e);
            }
        }
        types.find("unsigned long");
        types.find("struct task_struct *[4]");
        types.function("int");
        types.variable("value");
    }

    private static void look(Btf types, KernelType type) {
        GuestWalk.require(type.equals(type.resolved()) || type.kind() == KernelType.Kind.TYPEDEF, "not resolved", type);
        GuestWalk.require(type.toString().length() < 1 << 20, "a long text", type.kind());
        type.target();
        type.constants();
        type.parameters();
        if (!type.name().isEmpty()) {
            types.find(type.name());
        }
        type.member("next.value[1]");
        for (KernelMember member : type.members().stream().limit(MOST_MEMBERS).toList()) {
            Optional<KernelMember> found = member.name().isEmpty() || !member.name().matches("[a-z_]+")
                    ? Optional.empty()
                    : type.member(member.name());
            found.ifPresent(same -> GuestWalk.require(same.name().equals(member.name()), "another member", same));
            member.type().size();
        }
        type.size();
    }

    @Override
    public List<byte[]> seeds() {
        byte[] types = words(
                1, 0x0100_0000, 4, 0x0100_0020,
                5, 0x8400_0002, 16, 17, 1, 0x0300_0005, 22, 3, 64,
                0, 0x0200_0000, 2,
                0, 0x0300_0000, 0, 1, 1, 4,
                27, 0x0600_0001, 4, 29, 7,
                27, 0x1300_0001, 8, 29, 7, -1,
                22, 0x0800_0000, 3,
                0, 0x0a00_0000, 7,
                0, 0x0d00_0002, 1, 17, 3, 0, 0,
                1, 0x0c00_0001, 9,
                34, 0x0e00_0000, 2, 1,
                17, 0x0f00_0001, 8, 11, 0, 8,
                29, 0x1000_0000, 8,
                29, 0x1100_0000, 2, -1,
                29, 0x1200_0000, 1,
                5, 0x0700_0000, 0);
        byte[] strings = STRINGS.replace('~', '\0').getBytes(StandardCharsets.US_ASCII);
        byte[] kernel = section(24, types, strings, new byte[0]);
        byte[] module = section(
                24, words(STRINGS.length() + 1, 0x0800_0000, 2), "~mod~".replace('~', '\0').getBytes(
                        StandardCharsets.US_ASCII),
                new byte[0]);
        byte[] layout = new byte[124];
        layout[120] = 4;
        byte[] newer = section(32, words(0, 0x1e00_0000, 0, 1, 1, 0x0100_0000, 4, 0x20), strings, layout);
        return List.of(input(kernel, new byte[0]), input(kernel, module), input(newer, new byte[0]));
    }

    private static byte[] input(byte[] kernel, byte[] module) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.write(kernel.length >> 8);
        bytes.write(kernel.length);
        bytes.writeBytes(kernel);
        bytes.writeBytes(module);
        return bytes.toByteArray();
    }

    private static byte[] words(int... words) {
        ByteBuffer bytes = ByteBuffer.allocate(words.length * 4).order(ByteOrder.LITTLE_ENDIAN);
        Arrays.stream(words).forEach(bytes::putInt);
        return bytes.array();
    }

    private static byte[] section(int header, byte[] types, byte[] strings, byte[] layout) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.writeBytes(words(0x0001_eb9f, header, 0, types.length, types.length, strings.length));
        if (header > 24) {
            bytes.writeBytes(words(types.length + strings.length, layout.length));
        }
        bytes.writeBytes(types);
        bytes.writeBytes(strings);
        bytes.writeBytes(layout);
        return bytes.toByteArray();
    }

    @Override
    public List<byte[]> dictionary() {
        List<byte[]> words = new ArrayList<>(Seeds.words("\u009f\u00eb\u0001~", "task_struct", "next"));
        for (int kind = 0; kind < 20; kind++) {
            words.add(new byte[] {1, 0, 0, (byte) kind});
        }
        return words;
    }

    @Override
    public int longest() {
        return 4096;
    }
}
