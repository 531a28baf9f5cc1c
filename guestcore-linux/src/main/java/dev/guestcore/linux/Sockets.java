package dev.guestcore.linux;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The sockets of all processes, with their owners, and those that stand in the tables of TCP and UDP, such as connections in
 * TIME-WAIT. Sources: {@code include/net/sock.h}, {@code inet_sock.h}, {@code tcp_states.h}, {@code af_unix.h},
 * {@code net/netlink/af_netlink.h}, {@code net/packet/internal.h} of Linux.
 */
final class Sockets {

    private static final String[] TCP_STATES = {
        "UNKNOWN", "ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "UNCONN", "CLOSE-WAIT",
        "LAST-ACK", "LISTEN", "CLOSING", "NEW-SYN-RECV"
    };

    private static final String[] TYPES =
            {"0", "stream", "dgram", "raw", "rdm", "seqpacket", "dccp", "7", "8", "9", "packet"};
    private static final int TIME_WAIT = 6;
    private static final int LISTEN = 10;
    private static final int NEW_SYN_RECV = 12;
    private static final int STREAM = 1;
    private static final int TCP = 6;
    private static final int CONNECTED = 3;
    private static final int IPV4_BYTES = 4;
    private static final int IPV6_BYTES = 16;

    /** Bytes of {@code sun_path}, and of the family before it. */
    private static final int LONGEST_PATH = 108;

    private static final int FAMILY_BYTES = 2;

    private Sockets() {}

    /**
     * All sockets that a process has open, ordered by the first of its owners; then those that only the tables of TCP and UDP have.
     *
     * @throws LinuxException if the kernel has no description of its types
     */
    static Walk<Socket> of(Linux linux) {
        Map<Long, Found> found = new LinkedHashMap<>();
        Walk<KernelObject> tasks = Tasks.structures(linux);
        Walk<Found> all = tasks.flatMap(task -> ofProcess(task, found));
        Walk<KernelObject> tables = SocketTables.of(linux);
        Map<Long, KernelObject> hashed = new LinkedHashMap<>();
        tables.forEach(sock -> hashed.putIfAbsent(sock.address(), sock));
        Walk<Socket> open = Walk.of(List.copyOf(found.values()))
                .map(each -> read(each, hashed.keySet()))
                .about("sockets");
        open.forEach(socket -> hashed.remove(socket.object().address()));
        Walk<Socket> rest = Walk.of(List.copyOf(hashed.values())).map(Sockets::inTable).about("sockets");
        List<String> problems = new ArrayList<>(all.problems());
        problems.addAll(open.problems());
        problems.addAll(tables.problems());
        problems.addAll(rest.problems());
        List<Socket> sockets = new ArrayList<>(open.items());
        sockets.addAll(rest.items());
        return new Walk<>(sockets, tasks.complete() && tables.complete(), problems);
    }

    /** A socket that was met, and where. */
    private record Found(KernelObject socket, long inode, List<Socket.Owner> owners) {}

    /** Threads have the files of their process. */
    private static Iterable<Found> ofProcess(KernelObject task, Map<Long, Found> found) {
        int pid = task.getInt("pid");
        return pid == task.getInt("tgid")
                ? Walk.of(List.of(task)).flatMap(process -> collect(process, found)).about("process " + pid)
                : List.of();
    }

    private static Walk<Found> collect(KernelObject task, Map<Long, Found> found) {
        return OpenFiles.files(task).flatMap(open -> {
            KernelObject inode = open.file().get("f_inode").dereference();
            boolean socket = OpenFiles.kind(inode.getInt("i_mode") & OpenFiles.TYPE_MASK) == OpenFile.Kind.SOCKET
                    && inode.get("i_sb.s_type.name").string().equals("sockfs");
            if (!socket) {
                return List.of();
            }
            KernelObject data = open.file().get("private_data").dereferenceAs("struct socket");
            found.computeIfAbsent(
                    data.address(), _ -> new Found(data, inode.getLong("i_ino"), new ArrayList<>())).owners
                    .add(new Socket.Owner(task.getInt("tgid"), task.get("comm").string(), open.descriptor()));
            return List.of();
        });
    }

    private static Socket read(Found found, Set<Long> hashed) {
        KernelObject socket = found.socket;
        KernelObject sock = socket.get("sk").dereference();
        int state = sock.getInt("__sk_common.skc_state");
        Socket.Family family = family(sock.getInt("__sk_common.skc_family"));
        Ends ends = ends(family, sock);
        return new Socket(
                sock,
                family,
                type(socket.getInt("type")),
                protocol(family, sock),
                family == Socket.Family.INET || family == Socket.Family.INET6
                        ? tcpState(state)
                        : state(socket, state),
                ends.local,
                ends.remote,
                found.inode,
                namespace(sock),
                found.owners,
                hashed.contains(sock.address())
                        ? Set.of(Socket.Place.FILES, Socket.Place.TABLE)
                        : Set.of(Socket.Place.FILES));
    }

    /** One that no file leads to. Of a connection that has no process yet, or none any more, only what all have in common is there. */
    private static Socket inTable(KernelObject sock) {
        KernelObject common = sock.get("__sk_common");
        int state = common.getInt("skc_state");
        Socket.Family family = family(common.getInt("skc_family"));
        if (family != Socket.Family.INET && family != Socket.Family.INET6) {
            throw new LinuxException("what is at 0x" + Long.toHexString(sock.address())
                    + " in the tables of TCP and UDP is no socket of IP");
        }
        boolean small = state == TIME_WAIT || state == NEW_SYN_RECV;
        Optional<KernelObject> socket = small ? Optional.empty() : sock.get("sk_socket").target();
        Ends ends = inet(family, common, common.getInt("skc_num"));
        return new Socket(
                small ? common : sock,
                family,
                small ? type(STREAM) : type(sock.getInt("sk_type")),
                small ? TCP : sock.getInt("sk_protocol"),
                tcpState(state),
                ends.local,
                ends.remote,
                socket.map(Sockets::inode).orElse(0L),
                namespace(sock),
                List.of(),
                Set.of(Socket.Place.TABLE));
    }

    /** A socket and its inode lie together. */
    private static long inode(KernelObject socket) {
        return socket.containerOf("struct socket_alloc", "socket").getLong("vfs_inode.i_ino");
    }

    private static String type(int type) {
        return type >= 0 && type < TYPES.length ? TYPES[type] : String.valueOf(type);
    }

    private static String tcpState(int state) {
        return state >= 0 && state < TCP_STATES.length ? TCP_STATES[state] : TCP_STATES[0];
    }

    private static Socket.Family family(int number) {
        return switch (number) {
            case 1 -> Socket.Family.UNIX;
            case 2 -> Socket.Family.INET;
            case 10 -> Socket.Family.INET6;
            case 16 -> Socket.Family.NETLINK;
            case 17 -> Socket.Family.PACKET;
            case 40 -> Socket.Family.VSOCK;
            default -> Socket.Family.OTHER;
        };
    }

    private static int protocol(Socket.Family family, KernelObject sock) {
        return family == Socket.Family.PACKET
                ? swapped(sock.as("struct packet_sock").getInt("num"))
                : sock.getInt("sk_protocol");
    }

    private static String state(KernelObject socket, int state) {
        if (state == LISTEN) {
            return "LISTEN";
        }
        return socket.getInt("state") == CONNECTED ? "ESTAB" : "UNCONN";
    }

    private static long namespace(KernelObject sock) {
        return sock.getAny("__sk_common.skc_net.net")
                .flatMap(KernelObject::target)
                .map(net -> net.getLong("ns.inum"))
                .orElse(0L);
    }

    private record Ends(String local, Optional<String> remote) {}

    private static Ends ends(Socket.Family family, KernelObject sock) {
        return switch (family) {
            case INET, INET6 ->
                    inet(family, sock.get("__sk_common"), swapped(sock.as("struct inet_sock").getInt("inet_sport")));
            case UNIX -> unix(sock);
            case NETLINK -> {
                KernelObject netlink = sock.as("struct netlink_sock");
                yield new Ends(Long.toString(netlink.getLong("portid")), Optional.empty());
            }
            case PACKET -> packet(sock);
            case VSOCK -> {
                KernelObject vsock = sock.as("struct vsock_sock");
                yield new Ends(vsock(vsock.get("local_addr")), Optional.of(vsock(vsock.get("remote_addr"))));
            }
            case OTHER -> new Ends("", Optional.empty());
        };
    }

    private static Ends inet(Socket.Family family, KernelObject common, int localPort) {
        int remotePort = swapped(common.getInt("skc_dport"));
        boolean six = family == Socket.Family.INET6;
        byte[] local = six
                ? common.get("skc_v6_rcv_saddr").bytes(IPV6_BYTES)
                : common.get("skc_rcv_saddr").bytes(IPV4_BYTES);
        byte[] remote =
                six ? common.get("skc_v6_daddr").bytes(IPV6_BYTES) : common.get("skc_daddr").bytes(IPV4_BYTES);
        boolean connected = remotePort != 0;
        return new Ends(
                address(local, localPort), connected ? Optional.of(address(remote, remotePort)) : Optional.empty());
    }

    private static String address(byte[] bytes, int port) {
        boolean six = bytes.length == IPV6_BYTES;
        return (six ? "[" + Addresses.text(bytes) + "]" : Addresses.text(bytes)) + ":" + (port == 0 ? "*" : port);
    }

    /** Ports are in network byte order. */
    private static int swapped(int port) {
        return Short.toUnsignedInt(Short.reverseBytes((short) port));
    }

    private static Ends unix(KernelObject sock) {
        KernelObject unix = sock.as("struct unix_sock");
        Optional<String> remote = unix.get("peer").target().map(peer -> name(peer.as("struct unix_sock")));
        return new Ends(name(unix), remote);
    }

    /** A path, or a name of any bytes that begins with a zero, which is shown as {@code @}. */
    private static String name(KernelObject unix) {
        Optional<KernelObject> address = unix.get("addr").target();
        if (address.isEmpty()) {
            return "*";
        }
        int length = Math.clamp(address.get().getLong("len") - FAMILY_BYTES, 0, LONGEST_PATH);
        byte[] bytes = new byte[length];
        unix.linux().memory().read(address.get().get("name").address() + FAMILY_BYTES, bytes);
        String text = new String(bytes, StandardCharsets.UTF_8);
        if (text.startsWith("\0")) {
            return "@" + text.substring(1).replace('\0', '@');
        }
        int end = text.indexOf('\0');
        return end < 0 ? text : text.substring(0, end);
    }

    private static Ends packet(KernelObject sock) {
        KernelObject packet = sock.as("struct packet_sock");
        int index = packet.getInt("ifindex");
        return new Ends(index == 0 ? "*" : "interface " + index, Optional.empty());
    }

    private static String vsock(KernelObject address) {
        return Integer.toUnsignedString(address.getInt("svm_cid")) + ":"
                + Integer.toUnsignedString(address.getInt("svm_port"));
    }
}
