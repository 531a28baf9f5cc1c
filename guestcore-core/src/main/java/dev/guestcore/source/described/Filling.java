package dev.guestcore.source.described;

import dev.guestcore.PageState;
import dev.guestcore.file.FileBytes;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** What a piece of contents consists of, computed when it is read. Thread-safe. */
sealed interface Filling {

    /** Whether it is bytes, zeros, or cannot be read. */
    default PageState state() {
        return PageState.PRESENT;
    }

    /**
     * Writes all of {@code target}.
     *
     * @param address guest-physical address of the first byte
     * @param position offset of the first byte from the start of the piece
     */
    void fill(long address, long position, MemorySegment target);

    /** Zeros that are known to be zeros. */
    record Zero() implements Filling {

        @Override
        public PageState state() {
            return PageState.ZERO;
        }

        @Override
        public void fill(long address, long position, MemorySegment target) {
            target.fill((byte) 0);
        }
    }

    /** Cannot be read. */
    record Unreadable() implements Filling {

        @Override
        public PageState state() {
            return PageState.UNREADABLE;
        }

        @Override
        public void fill(long address, long position, MemorySegment target) {
            throw new IllegalStateException("an unreadable page has no bytes");
        }
    }

    /** The same bytes again and again, from the start of the piece on; do not modify them. */
    record Repeat(byte[] bytes) implements Filling {

        @Override
        public void fill(long address, long position, MemorySegment target) {
            if (bytes.length == 1) {
                target.fill(bytes[0]);
                return;
            }
            int phase = (int) (position % bytes.length);
            long done = 0;
            while (done < target.byteSize()) {
                int length = (int) Math.min(bytes.length - phase, target.byteSize() - done);
                MemorySegment.copy(bytes, phase, target, ValueLayout.JAVA_BYTE, done, length);
                done += length;
                phase = 0;
            }
        }
    }

    /** A part of a file, which was checked to be in the file. */
    record Slice(FileBytes file, long offset) implements Filling {

        @Override
        public void fill(long address, long position, MemorySegment target) {
            long read = file.read(offset + position, target);
            if (read < target.byteSize()) {
                throw file.incomplete(offset + position + read);
            }
        }
    }

    /** The 64-bit little-endian word at each address A that is a multiple of 8 is (A * multiply + add) xor mask. */
    record AddressPattern(long multiply, long add, long mask) implements Filling {

        private static final ValueLayout.OfLong U64 =
                ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

        @Override
        public void fill(long address, long position, MemorySegment target) {
            long done = 0;
            while (done < target.byteSize()) {
                long at = address + done;
                long word = (at & -Long.BYTES) * multiply + add ^ mask;
                if ((at & Long.BYTES - 1) == 0 && target.byteSize() - done >= Long.BYTES) {
                    target.set(U64, done, word);
                    done += Long.BYTES;
                } else {
                    target.set(ValueLayout.JAVA_BYTE, done, (byte) (word >>> Byte.SIZE * (at & Long.BYTES - 1)));
                    done++;
                }
            }
        }
    }

    /** Every byte of the page with number N is the low byte of N * multiply + add. */
    record PageNumberPattern(long multiply, long add) implements Filling {

        @Override
        public void fill(long address, long position, MemorySegment target) {
            long done = 0;
            while (done < target.byteSize()) {
                long at = address + done;
                long inPage = PageChoice.PAGE_SIZE - (at & PageChoice.PAGE_SIZE - 1);
                long length = Math.min(inPage, target.byteSize() - done);
                target.asSlice(done, length).fill((byte) ((at >>> PageChoice.PAGE_SHIFT) * multiply + add));
                done += length;
            }
        }
    }
}
