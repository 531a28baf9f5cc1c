package dev.guestcore.linux.types;

import java.util.Arrays;
import java.util.BitSet;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Finds the records of a section of which a part is damaged or missing. Records have no numbers of their own, so how many are lost
 * is found by what refers to those behind: a function leads to the type of a function, nothing else does, and only one number of
 * lost records makes all of them right.
 */
final class BtfRecovery {

    static final int PAGE = 4096;

    private static final int COMMON = 12;

    /** So many records in a row are none by chance. */
    private static final int WITNESSES = 64;

    /** How far behind a damaged page records may go on: a structure may be large. */
    private static final int FARTHEST = 1 << 16;

    private static final int MOST_FUNCTIONS = 4096;
    private static final int LEAST_FUNCTIONS = 16;

    private final Btf btf;
    private final BtfHeader header;
    private final BitSet lostPages;
    /** How far behind the start of a page the section begins. */
    private final int offset;

    private int[] places;
    private int count;

    /**
     * Prepares.
     *
     * @param offset of the section in its page
     * @param lostPages which pages are known to be damaged, from the first of the section on
     */
    BtfRecovery(Btf btf, BtfHeader header, int offset, BitSet lostPages) {
        this.btf = btf;
        this.header = header;
        this.offset = offset;
        this.lostPages = lostPages;
        this.places = new int[header.typesSize() / COMMON + 1];
    }

    /** Where each record begins; -1 of those that are lost. Ends where it is not known any more how many are. */
    int[] places() {
        int at = header.types();
        int end = at + header.typesSize();
        while (at < end) {
            int next = next(at, end);
            if (next > 0) {
                places[count++] = isIn(lostPages, at, next) ? -1 : at;
                at = next;
                continue;
            }
            loseFrom(at);
            Optional<Segment> segment = resume(at, end);
            if (segment.isEmpty()) {
                break;
            }
            append(segment.get());
            at = segment.get().end;
        }
        return Arrays.copyOf(places, count);
    }

    /** Where the record behind the one at an address begins; -1 if there is no record. */
    private int next(int at, int end) {
        return lostPages.get(page(at)) ? -1 : btf.recordEnd(at, end);
    }

    private int page(int at) {
        return (at + offset) / PAGE;
    }

    private boolean isIn(BitSet pages, int from, int to) {
        int lost = pages.nextSetBit(page(from));
        return lost >= 0 && lost <= page(to - 1);
    }

    /** What stands in the page in which records do not go on cannot be trusted either. */
    private void loseFrom(int at) {
        // Of a record on the border of two pages the first half is as good as those before it.
        int bad = page(at + COMMON - 1);
        lostPages.set(bad);
        for (int i = count - 1; i >= 0 && (places[i] < 0 || page(places[i]) >= bad - FARTHEST / PAGE); i--) {
            if (places[i] >= 0 && isIn(lostPages, places[i], btf.recordEnd(places[i], Integer.MAX_VALUE))) {
                places[i] = -1;
            }
        }
    }

    /** Records that follow one another behind damage, and how many are lost before them. */
    private record Segment(int lost, int[] places, int end) {}

    private Optional<Segment> resume(int damaged, int end) {
        int from = (page(damaged + COMMON - 1) + 1) * PAGE - offset;
        int limit = Math.min(end, from + FARTHEST);
        int[] found = new int[places.length];
        for (int start = from + 3 & -4; start < limit; start += Integer.BYTES) {
            if (lostPages.get(page(start))) {
                continue;
            }
            int number = 0;
            int at = start;
            int next = next(at, end);
            while (next > 0) {
                found[number++] = at;
                at = next;
                next = at < end ? next(at, end) : -1;
            }
            if (number >= WITNESSES || at == end) {
                int[] exact = Arrays.copyOf(found, number);
                OptionalInt lost = lost(exact, start - damaged);
                return lost.isPresent() ? Optional.of(new Segment(lost.getAsInt(), exact, at)) : Optional.empty();
            }
        }
        return Optional.empty();
    }

    /** How many records are lost before these: the only number with which all functions have types of functions. */
    private OptionalInt lost(int[] found, int bytes) {
        int[] functions = Arrays.stream(found)
                .filter(at -> btf.kindAt(at) == BtfKind.FUNC)
                .limit(MOST_FUNCTIONS)
                .toArray();
        if (functions.length < LEAST_FUNCTIONS) {
            return OptionalInt.empty();
        }
        OptionalInt only = OptionalInt.empty();
        for (int lost = 0; lost <= bytes / COMMON + 1; lost++) {
            if (fits(found, functions, lost)) {
                if (only.isPresent()) {
                    return OptionalInt.empty();
                }
                only = OptionalInt.of(lost);
            }
        }
        return only;
    }

    private boolean fits(int[] found, int[] functions, int lost) {
        int known = 0;
        for (int function : functions) {
            int index = btf.referenceAt(function) - btf.firstId();
            int inside = index - count - lost;
            int place = index < 0 || inside >= found.length
                    ? -2
                    : inside >= 0 ? found[inside] : index < count ? places[index] : -1;
            if (place == -2 || place >= 0 && btf.kindAt(place) != BtfKind.FUNC_PROTO) {
                return false;
            }
            known += place >= 0 ? 1 : 0;
        }
        return known >= LEAST_FUNCTIONS;
    }

    private void append(Segment segment) {
        int all = count + segment.lost + segment.places.length;
        places = Arrays.copyOf(places, Math.max(places.length, all));
        Arrays.fill(places, count, count + segment.lost, -1);
        for (int i = 0; i < segment.places.length; i++) {
            int at = segment.places[i];
            boolean cut = isIn(lostPages, at, btf.recordEnd(at, Integer.MAX_VALUE));
            places[count + segment.lost + i] = cut ? -1 : at;
        }
        count = all;
    }
}
