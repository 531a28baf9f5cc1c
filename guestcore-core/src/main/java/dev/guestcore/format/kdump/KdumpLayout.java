package dev.guestcore.format.kdump;

import dev.guestcore.internal.kernel.UtsName;

/**
 * Where the fields of the header and the sub-header lie. Both are C structures of the kernel that crashed, so their layout
 * depends on its word size ({@code docs/formats/kdump.md}, sections 1 and 2). Offsets in bytes: of the header from the start
 * of the file, of the sub-header from the start of block 1. Fields are in the byte order of the crashed machine.
 */
enum KdumpLayout {
    /** 64-bit kernels: a struct timeval of 16 bytes, aligned to 8; words of 8 bytes. */
    BITS_64(8, 424, 8, 12, 16, 24, 32, 48, 64, 80),
    /** 32-bit x86 kernels: a struct timeval of 8 bytes, aligned to 4; words of 4 bytes. */
    BITS_32(4, 412, 4, 8, 12, 16, 20, 32, 44, 56),
    /** Other 32-bit kernels: integers of 8 bytes are aligned to 8. */
    BITS_32_ALIGNED(4, 412, 4, 8, 12, 16, 24, 40, 56, 72);

    /** "KDUMP" and three blanks, as a big-endian integer. */
    static final long SIGNATURE = 0x4b44554d50202020L;

    static final int HEADER_VERSION = 8;
    static final int UTSNAME = 12;
    /** Each of the six strings of struct new_utsname: system, node, release, version, machine, domain. */
    static final int UTSNAME_STRING = UtsName.LENGTH;

    static final int OLDEST_VERSION = 1;
    static final int NEWEST_VERSION = 6;

    /** Flag of the header's status: the disk was full before all pages were written. */
    static final int STATUS_INCOMPLETE = 0x8;

    /** Size of a page descriptor: u64 file offset, u32 size, u32 flags, u64 page flags. */
    static final int DESCRIPTOR = 24;

    final int word;
    final int status;
    final int blockSize;
    final int subHeaderBlocks;
    final int bitmapBlocks;
    final int maxMapNumber;
    final int processorCount;

    final int physicalBase;
    final int dumpLevel;
    final int split;
    final int splitStart;
    final int splitEnd;
    /** u64 file offset, then a word with the size; likewise the notes and the list of erased data. */
    final int vmcoreInfoOffset;
    final int notesOffset;
    final int eraseInfoOffset;
    final int splitStart64;
    final int splitEnd64;
    final int maxMapNumber64;

    KdumpLayout(
            int word,
            int status,
            int dumpLevel,
            int split,
            int splitStart,
            int splitEnd,
            int vmcoreInfoOffset,
            int notesOffset,
            int eraseInfoOffset,
            int splitStart64) {
        this.word = word;
        this.status = status;
        this.blockSize = status + Integer.BYTES;
        this.subHeaderBlocks = status + 2 * Integer.BYTES;
        this.bitmapBlocks = status + 3 * Integer.BYTES;
        this.maxMapNumber = status + 4 * Integer.BYTES;
        this.processorCount = status + 9 * Integer.BYTES;
        this.physicalBase = 0;
        this.dumpLevel = dumpLevel;
        this.split = split;
        this.splitStart = splitStart;
        this.splitEnd = splitEnd;
        this.vmcoreInfoOffset = vmcoreInfoOffset;
        this.notesOffset = notesOffset;
        this.eraseInfoOffset = eraseInfoOffset;
        this.splitStart64 = splitStart64;
        this.splitEnd64 = splitStart64 + Long.BYTES;
        this.maxMapNumber64 = splitStart64 + 2 * Long.BYTES;
    }
}
