package dev.guestcore.linux;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * A socket that processes have open, or that the kernel keeps in its tables of TCP and UDP.
 *
 * @param object its {@code struct sock}; of a connection in TIME-WAIT or NEW-SYN-RECV, the smaller structure that stands for
 *     it ({@code inet_timewait_sock}, {@code request_sock}), as a {@code struct sock_common}
 * @param family what it speaks
 * @param type how: {@code stream}, {@code dgram}, {@code raw}, {@code seqpacket} and so on
 * @param protocol number of the protocol: as in {@code /etc/protocols} for IP, an Ethernet type for packets, a family for
 *     netlink
 * @param state of TCP by RFC 793 ({@code LISTEN}, {@code ESTAB}), else {@code UNCONN}, {@code ESTAB}, {@code LISTEN}
 * @param local its own address as {@code ss} writes it: {@code 127.0.0.1:80}, {@code [::1]:80}, a path, {@code *} for any
 * @param remote the other end's address, empty if there is none
 * @param inode its number, which {@code /proc/PID/fd} shows; 0 for one that no process has or had, as in {@code /proc/net}
 * @param namespace inode number of its network namespace
 * @param owners the descriptors that lead to it; empty for one of the kernel, or that its process has left
 * @param seenIn where it was found
 */
public record Socket(
        KernelObject object,
        Family family,
        String type,
        int protocol,
        String state,
        String local,
        Optional<String> remote,
        long inode,
        long namespace,
        List<Owner> owners,
        Set<Place> seenIn) {

    private static final int TCP = 6;
    private static final int UDP = 17;

    /** Where the kernel keeps sockets. */
    public enum Place {
        /** Among the open files of processes. */
        FILES,
        /** In the tables by which TCP and UDP find whom a packet is for. */
        TABLE
    }

    /** Families of addresses. */
    public enum Family {
        /** Between processes of one kernel. */
        UNIX,
        /** IPv4. */
        INET,
        /** IPv6. */
        INET6,
        /** With the kernel. */
        NETLINK,
        /** Frames of a network device. */
        PACKET,
        /** Between a virtual machine and its host. */
        VSOCK,
        /** Any other. */
        OTHER
    }

    /**
     * Who has it open.
     *
     * @param pid of the process
     * @param name of the process, at most 15 bytes, which may be control characters
     * @param descriptor in the process
     */
    public record Owner(int pid, String name, int descriptor) {

        /** Checks for null. */
        public Owner {
            Objects.requireNonNull(name);
        }
    }

    /** Copies the list. */
    public Socket {
        Objects.requireNonNull(object);
        Objects.requireNonNull(family);
        Objects.requireNonNull(type);
        Objects.requireNonNull(state);
        Objects.requireNonNull(local);
        Objects.requireNonNull(remote);
        owners = List.copyOf(owners);
        seenIn = Set.copyOf(seenIn);
    }

    /**
     * Whether a process has it open, and it should be in the tables of TCP or UDP, and is not: a sign of tampering, or of memory
     * that was copied while the guest ran.
     */
    public boolean isHidden() {
        boolean internet = family == Family.INET || family == Family.INET6;
        boolean tcp = protocol == TCP && !state.equals("UNCONN");
        boolean udp = protocol == UDP && !local.endsWith(":*");
        return internet && (tcp || udp) && !seenIn.contains(Place.TABLE);
    }

    /** As {@code ss} names it: {@code tcp}, {@code udp}, {@code u_str}, {@code p_raw}, {@code nl}. */
    public String kind() {
        return switch (family) {
            case UNIX -> switch (type) {
                case "stream" -> "u_str";
                case "dgram" -> "u_dgr";
                default -> "u_seq";
            };
            case INET, INET6 -> switch (protocol) {
                case 6 -> "tcp";
                case 17 -> "udp";
                case 58 -> "icmp6";
                case 1 -> "icmp";
                case 132 -> "sctp";
                case 262 -> "mptcp";
                default -> type.equals("raw") ? "raw" : type;
            };
            case NETLINK -> "nl";
            case PACKET -> type.equals("dgram") ? "p_dgr" : "p_raw";
            case VSOCK -> type.equals("dgram") ? "v_dgr" : "v_str";
            case OTHER -> "other";
        };
    }
}
