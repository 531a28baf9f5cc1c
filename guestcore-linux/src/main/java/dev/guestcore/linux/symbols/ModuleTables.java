package dev.guestcore.linux.symbols;

import dev.guestcore.AddressRange;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/** Collects the symbols of modules, in any order. Not thread-safe. */
public final class ModuleTables {

    /** How many symbols are taken: all modules of a distribution together have fewer. */
    public static final int MOST_SYMBOLS = 1 << 19;

    /** How many bytes of names are taken. */
    private static final int MOST_BYTES = 24 << 20;

    private final List<String> modules = new ArrayList<>();
    private final List<AddressRange> ranges = new ArrayList<>();
    private long[] addresses = new long[1024];
    private int[] starts = new int[1024];
    private short[] owners = new short[1024];
    private byte[] names = new byte[1 << 15];
    private int count;
    private int used;

    /** Without symbols. */
    public ModuleTables() {
        // nothing is there yet
    }

    /**
     * Begins a module; what is added next belongs to it.
     *
     * @param name its name; empty for the kernel itself
     * @param memory virtual addresses of its code and data
     */
    public void module(String name, List<AddressRange> memory) {
        modules.add(name);
        ranges.addAll(memory);
    }

    /**
     * Adds a symbol of the module that was begun last.
     *
     * @param name in Latin-1, not empty; cut at 1000 characters
     * @return false if there is no room for more
     */
    public boolean add(long address, char type, byte[] name) {
        int length = Math.min(name.length, NameTable.LONGEST_NAME - 1);
        if (count == MOST_SYMBOLS || used + length + 1 > MOST_BYTES || modules.size() > Short.MAX_VALUE) {
            return false;
        }
        makeRoom(length + 1);
        addresses[count] = address;
        starts[count] = used;
        owners[count] = (short) (modules.size() - 1);
        names[used] = (byte) type;
        System.arraycopy(name, 0, names, used + 1, length);
        used += length + 1;
        count++;
        return true;
    }

    private void makeRoom(int bytes) {
        if (count == addresses.length) {
            addresses = Arrays.copyOf(addresses, 2 * count);
            starts = Arrays.copyOf(starts, 2 * count);
            owners = Arrays.copyOf(owners, 2 * count);
        }
        if (used + bytes > names.length) {
            names = Arrays.copyOf(names, 2 * names.length);
        }
    }

    /** The symbols for looking up. What is added later does not belong to them. */
    public KernelSymbols symbols() {
        Integer[] order = new Integer[count];
        Arrays.setAll(order, number -> number);
        Arrays.sort(order, Comparator.comparing((Integer number) -> addresses[number], Long::compareUnsigned));
        long[] sorted = new long[count];
        int[] sortedStarts = new int[count];
        short[] lengths = new short[count];
        short[] sortedOwners = new short[count];
        for (int i = 0; i < count; i++) {
            int from = order[i];
            sorted[i] = addresses[from];
            sortedStarts[i] = starts[from];
            lengths[i] = (short) ((from + 1 < count ? starts[from + 1] : used) - starts[from]);
            sortedOwners[i] = owners[from];
        }
        AddressRange[] memory = ranges.stream().sorted().toArray(AddressRange[]::new);
        return new ModuleSymbols(
                sorted, sortedStarts, lengths, sortedOwners, Arrays.copyOf(names, used), List.copyOf(modules), memory);
    }

}
