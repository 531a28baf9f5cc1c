package dev.guestcore.testing;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.zip.Deflater;

/**
 * Makes QEMU migration streams as docs/formats/vmstate.md describes them, without a line of the code that reads them. Not
 * thread-safe.
 */
public final class MigrationFiles {

    private static final int RAM = 2;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final List<String> descriptions = new ArrayList<>();
    private final Map<String, Long> starts = new HashMap<>();
    private String lastBlock = "";
    private int section = 10;
    private boolean footers = true;

    /** Begins a stream of that machine type. */
    public MigrationFiles(String machine) {
        i32(0x5145564d).i32(3).u8(7).i32(machine.length()).raw(machine.getBytes(StandardCharsets.US_ASCII));
    }

    /** Leaves out the feet of sections, as old machine types do. */
    public MigrationFiles withoutFooters() {
        footers = false;
        return this;
    }

    /** Any bytes. */
    public MigrationFiles raw(byte... bytes) {
        out.writeBytes(bytes);
        return this;
    }

    /** A byte. */
    public MigrationFiles u8(int value) {
        out.write(value);
        return this;
    }

    /** A big-endian 32-bit number. */
    public MigrationFiles i32(int value) {
        return raw(ByteBuffer.allocate(4).putInt(value).array());
    }

    /** A big-endian 64-bit number. */
    public MigrationFiles i64(long value) {
        return raw(ByteBuffer.allocate(8).putLong(value).array());
    }

    /** Length in one byte, and a text. */
    public MigrationFiles text(String text) {
        return u8(text.length()).raw(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    /** The section that lists blocks: names and sizes in turn. */
    public MigrationFiles blocks(Object... namesAndSizes) {
        u8(1).i32(RAM).text("ram").i32(0).i32(4);
        long total = 0;
        for (int i = 1; i < namesAndSizes.length; i += 2) {
            total += ((Number) namesAndSizes[i]).longValue();
        }
        i64(total | 4);
        for (int i = 0; i < namesAndSizes.length; i += 2) {
            text((String) namesAndSizes[i]).i64(((Number) namesAndSizes[i + 1]).longValue());
        }
        i64(0x10).footer(RAM);
        return u8(2).i32(RAM);
    }

    private MigrationFiles footer(int id) {
        return footers ? u8(0x7e).i32(id) : this;
    }

    private MigrationFiles word(String block, long offset, int flags) {
        if (block.equals(lastBlock)) {
            return i64(offset | flags | 0x20);
        }
        lastBlock = block;
        return i64(offset | flags).text(block);
    }

    /** Position of the next byte. */
    public long position() {
        return out.size();
    }

    /** A page. */
    public MigrationFiles page(String block, long offset, byte[] content) {
        word(block, offset, 0x08);
        starts.put(block + "@" + offset, position());
        return raw(content);
    }

    /** Where the content of the last page of that place lies. */
    public long positionOf(String block, long offset) {
        return starts.get(block + "@" + offset);
    }

    /** A page that consists of one byte. */
    public MigrationFiles fill(String block, long offset, int value) {
        return word(block, offset, 0x02).u8(value);
    }

    /** A page compressed by zlib. */
    public MigrationFiles deflated(String block, long offset, byte[] content) {
        Deflater deflater = new Deflater();
        deflater.setInput(content);
        deflater.finish();
        byte[] compressed = new byte[2 * content.length];
        int length = deflater.deflate(compressed);
        deflater.end();
        return word(block, offset, 0x100).i32(length).raw(Arrays.copyOf(compressed, length));
    }

    /** Ends a run of pages and the section that holds it, and begins the next. */
    public MigrationFiles nextRun() {
        i64(0x10).footer(RAM);
        lastBlock = "";
        return u8(2).i32(RAM);
    }

    /** Ends the last run of pages. */
    public MigrationFiles endOfRam() {
        return i64(0x10).footer(RAM);
    }

    /** A device with its fields. */
    public MigrationFiles device(String name, int instance, int version, Consumer<Fields> content) {
        Fields fields = new Fields();
        content.accept(fields);
        u8(4).i32(section).text(name).i32(instance).i32(version).raw(fields.data.toByteArray()).footer(section++);
        descriptions.add("{\"name\":\"" + name + "\",\"instance_id\":" + instance + ",\"vmsd_name\":\"" + name
                + "\",\"version\":" + version + ",\"fields\":[" + String.join(",", fields.texts) + "]"
                + (fields.subsections.isEmpty() ? ""
                        : ",\"subsections\":[" + String.join(",", fields.subsections) + "]")
                + "}");
        return this;
    }

    /** The end, with the description of the devices. */
    public byte[] finish() {
        return finish("{\"page_size\":4096,\"devices\":[" + String.join(",", descriptions) + "]}");
    }

    /** The end, with any description. */
    public byte[] finish(String description) {
        byte[] text = description.getBytes(StandardCharsets.UTF_8);
        return u8(0).u8(6).i32(text.length).raw(text).bytes();
    }

    /** What was written so far. */
    public byte[] bytes() {
        return out.toByteArray();
    }

    /** Fields of a device, data and description side by side. */
    public static final class Fields {

        private final ByteArrayOutputStream data = new ByteArrayOutputStream();
        private final List<String> texts = new ArrayList<>();
        private final List<String> subsections = new ArrayList<>();

        private static byte[] number(long value, int size) {
            byte[] bytes = new byte[size];
            for (int i = 0; i < size; i++) {
                bytes[size - 1 - i] = (byte) (value >>> 8 * i);
            }
            return bytes;
        }

        private static String text(String name, String type, int size, int count, String more) {
            return "{\"name\":\"" + name + "\"" + (count > 1 ? ",\"array_len\":" + count : "") + ",\"type\":\"" + type
                    + "\"" + more + ",\"size\":" + size + "}";
        }

        /** Unsigned numbers of so many bytes. */
        public Fields numbers(String name, int size, long... values) {
            for (long value : values) {
                data.writeBytes(number(value, size));
            }
            texts.add(text(name, "uint" + 8 * size, size, values.length, ""));
            return this;
        }

        /** Bytes. */
        public Fields bytes(String name, String type, byte[] content) {
            data.writeBytes(content);
            texts.add(text(name, type, content.length, 1, ""));
            return this;
        }

        /** Structures of numbers: sizes of the fields of one, and the values of all. */
        public Fields structures(String name, String structure, int[] sizes, long[]... values) {
            StringBuilder inner = new StringBuilder();
            int size = 0;
            for (int i = 0; i < sizes.length; i++) {
                inner.append(i == 0 ? "" : ",").append(text("f" + i, "uint" + 8 * sizes[i], sizes[i], 1, ""));
                size += sizes[i];
            }
            for (long[] one : values) {
                for (int i = 0; i < sizes.length; i++) {
                    data.writeBytes(number(one[i], sizes[i]));
                }
            }
            texts.add(text(name, "struct", size, values.length, ",\"struct\":{\"vmsd_name\":\"" + structure
                    + "\",\"version\":1,\"fields\":[" + inner + "]}"));
            return this;
        }

        /** A structure with a PCI device's configuration space in it. */
        public Fields pciDevice(byte[] config) {
            data.writeBytes(number(2, 4));
            data.writeBytes(config);
            texts.add(text("dev", "struct", 4 + config.length, 1,
                    ",\"struct\":{\"vmsd_name\":\"PCIDevice\",\"version\":2,"
                            + "\"fields\":[" + text("version_id", "int32 le", 4, 1, "") + ","
                            + text("config[0]", "pci config", config.length, 1, "") + "]}"));
            return this;
        }

        /** A subsection. */
        public Fields subsection(String name, int version, Consumer<Fields> content) {
            Fields fields = new Fields();
            content.accept(fields);
            data.write(5);
            data.write(name.length());
            data.writeBytes(name.getBytes(StandardCharsets.US_ASCII));
            data.writeBytes(number(version, 4));
            data.writeBytes(fields.data.toByteArray());
            subsections.add("{\"vmsd_name\":\"" + name + "\",\"version\":" + version + ",\"fields\":["
                    + String.join(",", fields.texts) + "]}");
            return this;
        }
    }

    /** Numbers that are told apart: {@code base + 0}, {@code base + 1} and so on. */
    public static long[] counting(long base, int count) {
        long[] values = new long[count];
        for (int i = 0; i < count; i++) {
            values[i] = base + i;
        }
        return values;
    }

    /**
     * The fields of a vCPU as QEMU 7.2 names them, those that a reader has no use for left out. Values are made from
     * {@code seed}, so that each register has one of its own.
     */
    public static void cpu(Fields fields, long seed) {
        int[] segment = {4, 8, 4, 4};
        long[][] segments = new long[6][];
        for (int i = 0; i < 6; i++) {
            segments[i] = new long[] {0x10 + i, seed + 0x5000 + i, 0xffff0 + i, 0x00cf9300 + ((long) i << 8)};
        }
        long[][] stack = new long[8][];
        long[][] low = new long[16][];
        long[][] high = new long[16][];
        for (int i = 0; i < 16; i++) {
            if (i < 8) {
                stack[i] = new long[] {seed + 0xf000 + i, 0x3ff0 + i};
            }
            low[i] = new long[] {seed + 0x1100 + i, seed + 0x1200 + i};
            high[i] = new long[] {seed + 0x1300 + i, seed + 0x1400 + i};
        }
        fields.numbers("env.regs", 8, counting(seed + 0x100, 16))
                .numbers("env.eip", 8, seed + 0x200)
                .numbers("env.eflags", 8, 0x246)
                .numbers("env.hflags", 4, 0xabcd)
                .numbers("env.fpuc", 2, 0x37f)
                .numbers("env.fpus_vmstate", 2, 0x2841)
                .numbers("env.fptag_vmstate", 2, 0xe0)
                .numbers("env.fpregs_format_vmstate", 2, 0)
                .structures("env.fpregs", "fpreg", new int[] {8, 2}, stack)
                .structures("env.segs", "segment", segment, segments)
                .structures("env.ldt", "segment", segment, new long[] {0x20, seed + 0x6000, 0x67, 0x8200})
                .structures("env.tr", "segment", segment, new long[] {0x28, seed + 0x7000, 0x68, 0x8b00})
                .structures("env.gdt", "segment", segment, new long[] {0, seed + 0x8000, 0x7f, 0})
                .structures("env.idt", "segment", segment, new long[] {0, seed + 0x9000, 0xfff, 0})
                .numbers("env.sysenter_cs", 4, 0x10)
                .numbers("env.sysenter_esp", 8, seed + 0xa001)
                .numbers("env.sysenter_eip", 8, seed + 0xa002)
                .numbers("env.cr[0]", 8, 0x80050033L)
                .numbers("env.cr[2]", 8, seed + 0xb002)
                .numbers("env.cr[3]", 8, seed + 0xb003)
                .numbers("env.cr[4]", 8, 0x406e0)
                .numbers("env.dr", 8, seed + 0xd0, seed + 0xd1, seed + 0xd2, seed + 0xd3, 0, 0, 0xffff0ff0L, 0x400)
                .numbers("env.a20_mask", 4, 0xffffffffL)
                .numbers("env.mxcsr", 4, 0x1f80)
                .structures("env.xmm_regs[0]", "xmm_reg", new int[] {8, 8}, low)
                .numbers("env.efer", 8, 0xd01)
                .numbers("env.star", 8, 0x23001000000000L)
                .numbers("env.lstar", 8, seed + 0xe1)
                .numbers("env.cstar", 8, seed + 0xe2)
                .numbers("env.fmask", 8, 0x47700)
                .numbers("env.kernelgsbase", 8, seed + 0xe3)
                .numbers("env.pat", 8, 0x7040600070406L)
                .numbers("env.tsc_aux", 8, 0x77)
                .numbers("env.xcr0", 8, 7)
                .numbers("env.xstate_bv", 8, 7)
                .structures("env.xmm_regs[1]", "ymmh_reg", new int[] {8, 8}, high)
                .subsection("cpu/fpop_ip_dp", 1, sub -> sub.numbers("env.fpop", 2, 0x5d8)
                        .numbers("env.fpip", 8, seed + 0xf1)
                        .numbers("env.fpdp", 8, seed + 0xf2));
    }

    /** The number of an arm64 system register in QEMU's list. */
    public static long systemRegister(int op0, int op1, int crn, int crm, int op2) {
        return 0x6030_0000_0013_0000L | op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2;
    }

    /**
     * The section of an arm64 vCPU that runs at EL1 with its own stack, has SVE of 32 bytes, and these system registers.
     *
     * @param pstate state, 3c5 at EL1 with its own stack
     * @param system numbers and values of system registers, one behind the other
     */
    public static void arm64(Fields fields, long seed, long pstate, long... system) {
        int count = system.length / 2;
        long[] indexes = new long[count];
        long[] values = new long[count];
        for (int i = 0; i < count; i++) {
            indexes[i] = system[2 * i];
            values[i] = system[2 * i + 1];
        }
        fields.numbers("env.regs", 4, counting(0x1000, 16))
                .numbers("env.xregs", 8, counting(seed + 0x100, 32))
                .numbers("env.pc", 8, seed + 0x200)
                .numbers("cpsr", 4, pstate)
                .numbers("env.banked_spsr", 8, counting(seed + 0x300, 8))
                .numbers("env.elr_el", 8, counting(seed + 0x400, 4))
                .numbers("env.sp_el", 8, counting(seed + 0x500, 4))
                .numbers("cpreg_vmstate_array_len", 4, count)
                .numbers("cpreg_vmstate_indexes", 8, indexes)
                .numbers("cpreg_vmstate_values", 8, values)
                .subsection("cpu/vfp", 3, vectors -> {
                    for (int i = 0; i < 32; i++) {
                        vectors.numbers("env.vfp.zregs[" + i + "].d", 8, seed + 0x600 + i, seed + 0x700 + i);
                    }
                    vectors.numbers("fpscr", 4, 0x0840_0011L);
                })
                .subsection("cpu/sve", 1, scalable -> {
                    long[][] upper = new long[32][];
                    long[][] predicates = new long[17][];
                    for (int i = 0; i < 32; i++) {
                        upper[i] = counting(seed + 0x800 + 0x10L * i, 14);
                        if (i < 17) {
                            predicates[i] = counting(seed + 0xa00 + 0x10L * i, 4);
                        }
                    }
                    scalable.structures("env.vfp.zregs", "cpu/sve/zreg_hi", eights(14), upper)
                            .structures("env.vfp.pregs", "cpu/sve/preg", eights(4), predicates);
                });
    }

    private static int[] eights(int count) {
        int[] sizes = new int[count];
        Arrays.fill(sizes, 8);
        return sizes;
    }

    /** The section of a riscv64 vCPU; {@code virtual} is 1 while it runs a guest of its own. */
    public static void riscv64(Fields fields, long seed, int virtual) {
        fields.numbers("env.gpr", 8, counting(seed + 0x100, 32))
                .numbers("env.fpr", 8, counting(seed + 0x200, 32))
                .numbers("env.pc", 8, seed + 0x300)
                .numbers("env.frm", 8, 1)
                .numbers("env.priv", 8, 1)
                .numbers("env.virt", 8, virtual)
                .numbers("env.mstatus", 8, 0xa_0000_6900L)
                .numbers("env.satp", 8, seed + 0x401)
                .numbers("env.stvec", 8, seed + 0x402)
                .subsection("cpu/hyper", 1, hypervisor -> hypervisor
                        .numbers("env.hstatus", 8, 0)
                        .numbers("env.vsatp", 8, seed + 0x501)
                        .numbers("env.vstvec", 8, seed + 0x502)
                        .numbers("env.vsstatus", 8, seed + 0x503));
    }

    /** The section of an s390x vCPU. */
    public static void s390x(Fields fields, long seed) {
        fields.numbers("env.regs", 8, counting(seed + 0x100, 16))
                .numbers("env.psw.mask", 8, 0x0404_c001_8000_0000L)
                .numbers("env.psw.addr", 8, seed + 0x200)
                .numbers("env.psa", 8, 0xe000)
                .numbers("env.todpr", 4, 7)
                .numbers("env.ckc", 8, seed + 0x201)
                .numbers("env.aregs", 4, counting(0x300, 16))
                .numbers("env.cregs", 8, counting(seed + 0x400, 16))
                .subsection("cpu/fpu", 1, floating -> {
                    for (int i = 0; i < 16; i++) {
                        floating.numbers("env.vregs[" + i + "][0]", 8, seed + 0x500 + i);
                    }
                    floating.numbers("env.fpc", 4, 0x800000);
                })
                .subsection("cpu/vregs", 1, vectors -> {
                    for (int i = 16; i < 32; i++) {
                        vectors.numbers("env.vregs[" + i + "][0]", 8, seed + 0x500 + i);
                    }
                    for (int i = 0; i < 32; i++) {
                        vectors.numbers("env.vregs[" + i + "][1]", 8, seed + 0x600 + i);
                    }
                });
    }

    /** The subsections of a vCPU with AVX-512 and protection keys in use. */
    public static void beyondAvx(Fields fields, long seed) {
        long[][] high = new long[16][];
        long[][] upper = new long[16][];
        for (int i = 0; i < 16; i++) {
            high[i] = new long[] {seed + i, seed + 0x100 + i, seed + 0x200 + i, seed + 0x300 + i};
            upper[i] = new long[] {seed + 0x1000 + i, 1, 2, 3, 4, 5, 6, seed + 0x7000 + i};
        }
        fields.subsection("cpu/avx512", 1, sub -> sub.numbers("env.opmask_regs", 8, counting(seed + 0x400, 8))
                .structures("env.xmm_regs[2]", "zmmh_reg", new int[] {8, 8, 8, 8}, high)
                .structures("env.xmm_regs[3]", "hi16_zmm_reg", new int[] {8, 8, 8, 8, 8, 8, 8, 8}, upper))
                .subsection("cpu/pkru", 1, sub -> sub.numbers("env.pkru", 4, 0x55555554L));
    }

    /** The clock chip with memory sizes in its CMOS. */
    public static byte[] cmos(long below4GiB, long above4GiB) {
        byte[] cmos = new byte[128];
        long extended = below4GiB > 16 << 20 ? (below4GiB - (16 << 20)) / 65536 : 0;
        long first = Math.min((below4GiB - (1 << 20)) / 1024, 65535);
        cmos[0x30] = (byte) first;
        cmos[0x31] = (byte) (first >> 8);
        cmos[0x34] = (byte) extended;
        cmos[0x35] = (byte) (extended >> 8);
        cmos[0x5b] = (byte) (above4GiB >> 16);
        cmos[0x5c] = (byte) (above4GiB >> 24);
        cmos[0x5d] = (byte) (above4GiB >> 32);
        return cmos;
    }

    /** The configuration space of an i440FX host bridge in which all PAM registers have one value. */
    public static byte[] i440fx(int attributes) {
        byte[] config = new byte[256];
        config[0x59] = (byte) (attributes << 4);
        for (int i = 0x5a; i <= 0x5f; i++) {
            config[i] = (byte) (attributes << 4 | attributes);
        }
        return config;
    }
}
