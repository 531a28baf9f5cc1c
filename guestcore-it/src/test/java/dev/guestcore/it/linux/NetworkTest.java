package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.NetworkInterface;
import dev.guestcore.linux.Socket;
import dev.guestcore.linux.Walk;
import dev.guestcore.open.Guests;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Sockets and network devices, beside what /proc/net and /sys/class/net told the guest. */
@Tag("slow")
@Tag("foreign")
class NetworkTest {

    private static final Map<String, String> STATES = Map.of("01", "ESTAB", "07", "UNCONN", "0A", "LISTEN");
    private static final int LOCAL = 1;
    private static final int REMOTE = 2;
    private static final int STATE = 3;
    private static final int INODE = 9;

    @ParameterizedTest
    @EnumSource
    void isAsTheGuestHadIt(KnownLinux known) {
        LinuxTruth truth = known.truth();
        try (Guest guest = Guests.open(known.kdump())) {
            Linux linux = Linux.of(guest);
            Walk<Socket> sockets = linux.sockets();
            assertEquals(List.of(), sockets.problems());
            assertTrue(sockets.complete());
            for (Socket socket : sockets) {
                assertEquals(
                        List.of("sockets"),
                        socket.owners().stream().map(Socket.Owner::name).toList());
            }
            for (Socket socket : sockets) {
                boolean hashed = List.of("tcp", "udp").contains(socket.kind());
                assertEquals(hashed, socket.seenIn().contains(Socket.Place.TABLE), socket::toString);
            }
            for (String kind : List.of("tcp", "udp", "icmp")) {
                assertEquals(internet(truth, kind), sockets.stream()
                        .filter(socket -> socket.kind().equals(kind))
                        .map(socket -> String.join(" ", socket.state(), socket.local(), socket.remote().orElse("-"),
                                Long.toString(socket.inode())))
                        .collect(Collectors.toCollection(TreeSet::new)));
            }
            checkOthers(truth, sockets);
            checkDevices(truth, linux);
        }
    }

    /** State, both ends, and inode of each socket that a process has; raw sockets are those of ICMP here. */
    private static Set<String> internet(LinuxTruth truth, String kind) {
        Set<String> sockets = new TreeSet<>();
        String file = kind.equals("icmp") ? "raw" : kind;
        for (String name : List.of(file, file + "6")) {
            for (String line : truth.lines("proc/1/net/" + name).stream().skip(1).toList()) {
                String[] fields = line.strip().split(" +");
                sockets.add(String.join(" ", STATES.get(fields[STATE]), end(fields[LOCAL]),
                        fields[REMOTE].endsWith(":0000") ? "-" : end(fields[REMOTE]), fields[INODE]));
            }
        }
        return sockets;
    }

    /** Words in the order of a little-endian processor, the port as a number. */
    private static String end(String text) {
        String[] parts = text.split(":");
        byte[] stored = HexFormat.of().parseHex(parts[0]);
        byte[] bytes = new byte[stored.length];
        for (int i = 0; i < stored.length; i++) {
            bytes[i] = stored[i & ~3 | 3 - (i & 3)];
        }
        try {
            String address = InetAddress.getByAddress(bytes).getHostAddress();
            String brief = address.replaceFirst("^0(:0)*(:|$)", "::");
            return (bytes.length == 4 ? address : "[" + brief + "]") + ":" + Integer.parseInt(parts[1], 16);
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void checkOthers(LinuxTruth truth, Walk<Socket> sockets) {
        Set<String> unix = new TreeSet<>();
        for (String line : truth.lines("proc/1/net/unix").stream().skip(1).toList()) {
            String[] fields = line.split(" +");
            // One that nobody has accepted yet has no inode.
            if (!fields[6].equals("0")) {
                unix.add(fields[6] + " " + (fields.length > 7 ? fields[7] : "*"));
            }
        }
        assertEquals(unix, sockets.stream()
                .filter(socket -> socket.family() == Socket.Family.UNIX)
                .map(socket -> socket.inode() + " " + socket.local())
                .collect(Collectors.toCollection(TreeSet::new)));
        String[] packet = truth.lines("proc/1/net/packet").get(1).strip().split(" +");
        assertEquals(
                List.of(packet[8] + " " + Integer.parseInt(packet[3], 16)),
                sockets.stream()
                        .filter(socket -> socket.family() == Socket.Family.PACKET)
                        .map(socket -> socket.inode() + " " + socket.protocol())
                        .toList());
        assertEquals(1, sockets.stream().filter(socket -> socket.kind().equals("nl")).count());
        Set<Long> namespaces = sockets.stream().map(Socket::namespace).collect(Collectors.toSet());
        assertEquals(Set.of(namespace(truth, 1)), namespaces);
    }

    private static long namespace(LinuxTruth truth, int process) {
        String line = truth.lines("proc/" + process + "/ns").stream()
                .filter(each -> each.startsWith("net\t"))
                .findFirst()
                .orElseThrow();
        return Long.parseLong(line.substring(line.indexOf('[') + 1, line.indexOf(']')));
    }

    private static void checkDevices(LinuxTruth truth, Linux linux) {
        Walk<NetworkInterface> all = linux.interfaces();
        assertEquals(List.of(), all.problems());
        List<NetworkInterface> first = all.stream()
                .filter(device -> device.namespace() == namespace(truth, 1))
                .toList();
        assertEquals(List.of("lo", "dummy0"), first.stream().map(NetworkInterface::name).toList());
        assertEquals(3, all.size(), "and the lo of the other namespace");
        for (NetworkInterface device : first) {
            String folder = "sys/class/net/" + device.name() + "/";
            assertEquals(truth.text(folder + "address").strip(), device.hardwareAddress());
            assertEquals(truth.text(folder + "ifindex").strip(), Integer.toString(device.index()));
            assertEquals(truth.text(folder + "mtu").strip(), Long.toString(device.mtu()));
            assertEquals(truth.text(folder + "operstate").strip(), device.operationalState().toLowerCase(Locale.ROOT));
            assertEquals(six(truth, device.name()), device.addresses().stream()
                    .filter(address -> address.version() == 6)
                    .map(address -> address.text() + "/" + address.prefix())
                    .collect(Collectors.toCollection(TreeSet::new)));
        }
        assertEquals(
                List.of(
                        new NetworkInterface.Address("127.0.0.1", 8, 4, "host"),
                        new NetworkInterface.Address("192.0.2.1", 24, 4, "global")),
                first.stream()
                        .flatMap(device -> device.addresses().stream())
                        .filter(address -> address.version() == 4)
                        .toList());
    }

    private static Set<String> six(LinuxTruth truth, String device) {
        Set<String> addresses = new TreeSet<>();
        for (String line : truth.lines("proc/1/net/if_inet6")) {
            String[] fields = line.strip().split(" +");
            if (fields[5].equals(device)) {
                try {
                    String address = InetAddress.getByAddress(HexFormat.of().parseHex(fields[0])).getHostAddress();
                    addresses.add(
                            address.replaceFirst("(^|:)0(:0)+(:|$)", "::") + "/" + Integer.parseInt(fields[2], 16));
                } catch (UnknownHostException e) {
                    throw new IllegalStateException(e);
                }
            }
        }
        return addresses;
    }
}
