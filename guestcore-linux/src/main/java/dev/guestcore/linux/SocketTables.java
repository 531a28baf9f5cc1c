package dev.guestcore.linux;

import dev.guestcore.error.GuestcoreException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The tables by which TCP and UDP find the socket that a packet is for. Sources: {@code include/net/inet_hashtables.h} (those that
 * listen stand in {@code lhash2}, up to 5.17 in {@code listening_hash}; a network namespace may have a table of its own since
 * 6.1), {@code include/net/udp.h} and {@code netns/ipv4.h} (the same for UDP since 6.2) of Linux.
 */
final class SocketTables {

    private static final String SOCK = "struct sock";

    /** Larger than any table that the kernel makes. */
    private static final long MOST_BUCKETS = 1 << 24;

    /** More than fit into any memory that is looked at; a damaged table may lead to the same ones again and again. */
    private static final int MOST_SOCKETS = 1 << 20;

    private static final int CHUNK = 1 << 16;

    private final Linux linux;
    private final Set<Long> seen = new HashSet<>();
    private final List<KernelObject> found = new ArrayList<>();
    private final List<String> problems = new ArrayList<>();
    private boolean complete = true;

    private SocketTables(Linux linux) {
        this.linux = linux;
    }

    /** What stands in the tables: {@code struct sock}, or what begins like it. What this kernel does not have is empty. */
    static Walk<KernelObject> of(Linux linux) {
        SocketTables tables = new SocketTables(linux);
        Walk<KernelObject> namespaces = Interfaces.namespaces(linux);
        tables.tell("network namespaces", namespaces.problems());
        tables.attempt("the table of TCP", () -> linux.findVariable("tcp_hashinfo").ifPresent(tables::tcp));
        for (String udp : List.of("udp_table", "udplite_table")) {
            tables.attempt("the table of UDP", () -> linux.findVariable(udp).ifPresent(tables::udp));
        }
        for (KernelObject net : namespaces) {
            tables.attempt("the table of TCP",
                    () -> tables.ofNamespace(net, "ipv4.tcp_death_row.hashinfo").ifPresent(tables::tcp));
            tables.attempt("the table of UDP", () -> tables.ofNamespace(net, "ipv4.udp_table").ifPresent(tables::udp));
        }
        return new Walk<>(tables.found, tables.complete && namespaces.complete(), tables.problems);
    }

    private Optional<KernelObject> ofNamespace(KernelObject net, String path) {
        return net.has(path) ? net.get(path).target() : Optional.empty();
    }

    private void attempt(String what, Runnable work) {
        try {
            work.run();
        } catch (GuestcoreException e) {
            complete = false;
            tell(what, List.of(String.valueOf(e.getMessage())));
        }
    }

    private void tell(String what, List<String> lines) {
        for (String line : lines) {
            if (problems.size() < Walk.MOST_PROBLEMS) {
                problems.add(what + ": " + line);
            }
        }
    }

    private void tcp(KernelObject table) {
        buckets(table.get("ehash"), table.getLong("ehash_mask"), "chain", "__sk_common.skc_nulls_node",
                "the table of TCP");
        String what = "the table of TCP sockets that listen";
        if (table.has("listening_hash")) {
            for (KernelObject bucket : table.get("listening_hash").elements()) {
                chain(bucket.getAny("nulls_head", "head").orElseThrow(), "__sk_common.skc_nulls_node", what);
            }
        } else if (table.has("lhash2")) {
            buckets(table.get("lhash2"), table.getLong("lhash2_mask"), "nulls_head", "__sk_common.skc_nulls_node",
                    what);
        }
    }

    private void udp(KernelObject table) {
        buckets(table.get("hash"), table.getLong("mask"), "head", "__sk_common.skc_node", "the table of UDP");
    }

    /** A large table is mostly empty: it is read in pieces, and only buckets that hold something are looked at. */
    private void buckets(KernelObject array, long mask, String head, String node, String what) {
        if (array.isNull() || !seen.add(array.asLong())) {
            return;
        }
        long count = mask + 1;
        if (mask < 0 || count > MOST_BUCKETS || Long.bitCount(count) != 1) {
            throw new LinuxException(what + " would have " + count + " places; expected a power of two");
        }
        long size = array.index(0).type().size();
        long offset = KernelObject.memberOf(array.index(0).type(), head).offset();
        ByteBuffer piece = ByteBuffer.allocate(Math.toIntExact(Math.min(count, CHUNK / size) * size))
                .order(linux.memory().byteOrder());
        for (long first = 0; first < count; first += piece.capacity() / size) {
            long start = array.asLong() + first * size;
            long read = linux.memory().readAvailable(start, MemorySegment.ofBuffer(piece));
            if (read < piece.capacity()) {
                complete = false;
                tell(what, List.of("memory is missing from 0x" + Long.toHexString(start + read) + " on"));
            }
            for (int at = 0; at + size <= read; at += (int) size) {
                long entry = piece.getLong((int) (at + offset));
                if (entry != 0 && (entry & 1) == 0) {
                    chain(array.index(first + at / size).get(head), node, what);
                }
            }
        }
    }

    private void chain(KernelObject head, String node, String what) {
        Walk<KernelObject> chain = head.chain(SOCK, node);
        complete &= chain.complete();
        tell(what, chain.problems());
        found.addAll(chain.items());
        if (found.size() > MOST_SOCKETS) {
            throw new LinuxException(what + " does not end");
        }
    }
}
