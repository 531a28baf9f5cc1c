package dev.guestcore.linux;

import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * A socket that processes have open.
 *
 * @param object its {@code struct sock}
 * @param family what it speaks
 * @param type how: {@code stream}, {@code dgram}, {@code raw}, {@code seqpacket} and so on
 * @param protocol number of the protocol: as in {@code /etc/protocols} for IP, an Ethernet type for packets, a family for
 *     netlink
 * @param state of TCP by RFC 793 ({@code LISTEN}, {@code ESTAB}), else {@code UNCONN}, {@code ESTAB}, {@code LISTEN}
 * @param local its own address as {@code ss} writes it: {@code 127.0.0.1:80}, {@code [::1]:80}, a path, {@code *} for any
 * @param remote the other end's address, empty if there is none
 * @param inode its number, which {@code /proc/PID/fd} shows
 * @param namespace inode number of its network namespace
 * @param owners the descriptors that lead to it
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
        List<Owner> owners) {

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
