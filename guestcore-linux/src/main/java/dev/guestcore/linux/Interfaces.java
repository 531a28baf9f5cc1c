package dev.guestcore.linux;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The network devices of all network namespaces. Sources: {@code include/linux/netdevice.h}, {@code inetdevice.h},
 * {@code include/net/if_inet6.h}, {@code include/uapi/linux/if.h} and {@code if_arp.h} of Linux.
 */
final class Interfaces {

    /** Flags (IFF_*) by bit, as ip(8) names them. */
    private static final String[] FLAGS = {
        "UP", "BROADCAST", "DEBUG", "LOOPBACK", "POINTOPOINT", "NOTRAILERS", "", "NOARP", "PROMISC", "ALLMULTI",
        "MASTER",
        "SLAVE", "MULTICAST", "", "", "DYNAMIC"
    };

    private static final String[] STATES = {
        "UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP"
    };

    private static final int IPV4_BYTES = 4;
    private static final int IPV6_BYTES = 16;
    private static final int LONGEST_HARDWARE_ADDRESS = 32;

    /** Scopes of IPv6 as the kernel keeps them (IPV6_ADDR_*). */
    private static final int SIX_LOOPBACK = 0x10;

    private static final int SIX_LINK = 0x20;
    private static final int SIX_SITE = 0x40;
    private static final int SIX_SCOPES = 0xf0;

    private Interfaces() {}

    /**
     * All network devices, those of the first namespace first.
     *
     * @throws LinuxException if the kernel has no description of its types
     */
    static Walk<NetworkInterface> of(Linux linux) {
        return namespaces(linux).flatMap(Interfaces::of).about("network devices");
    }

    /** All network namespaces ({@code struct net}), the first of them first. */
    static Walk<KernelObject> namespaces(Linux linux) {
        return linux.findVariable("net_namespace_list")
                .map(list -> list.list("struct net", "list"))
                .orElseGet(() -> Walk.of(List.of(linux.variable("init_net"))));
    }

    private static Walk<NetworkInterface> of(KernelObject net) {
        long namespace = net.getLong("ns.inum");
        return net.get("dev_base_head").list("struct net_device", "dev_list").map(device -> read(device, namespace));
    }

    private static NetworkInterface read(KernelObject device, long namespace) {
        return new NetworkInterface(
                device,
                namespace,
                device.getInt("ifindex"),
                device.get("name").string(),
                flags(device.getLong("flags")),
                device.getLong("mtu") & 0xffff_ffffL,
                state(device.getInt("operstate")),
                hardware(device.getInt("type")),
                hardwareAddress(device),
                addresses(device));
    }

    private static List<String> flags(long flags) {
        List<String> names = new ArrayList<>();
        for (int bit = 0; bit < FLAGS.length; bit++) {
            if ((flags >>> bit & 1) != 0 && !FLAGS[bit].isEmpty()) {
                names.add(FLAGS[bit]);
            }
        }
        return names;
    }

    private static String state(int number) {
        return number >= 0 && number < STATES.length ? STATES[number] : String.valueOf(number);
    }

    private static String hardware(int type) {
        return switch (type) {
            case 1 -> "ether";
            case 32 -> "infiniband";
            case 512 -> "ppp";
            case 768 -> "ipip";
            case 769 -> "tunnel6";
            case 772 -> "loopback";
            case 776 -> "sit";
            case 778 -> "gre";
            case 65534 -> "none";
            default -> String.valueOf(type);
        };
    }

    private static String hardwareAddress(KernelObject device) {
        int length = (int) Math.min(device.getLong("addr_len"), LONGEST_HARDWARE_ADDRESS);
        KernelObject address = device.get("dev_addr");
        if (length == 0) {
            return "";
        }
        byte[] bytes = new byte[length];
        device.linux().memory().read(address.asLong(), bytes);
        return Addresses.hardware(bytes);
    }

    private static List<NetworkInterface.Address> addresses(KernelObject device) {
        List<NetworkInterface.Address> addresses = new ArrayList<>();
        device.get("ip_ptr").target().ifPresent(four -> addFour(four, addresses));
        if (device.has("ip6_ptr")) {
            device.get("ip6_ptr").target().ifPresent(six -> addSix(six, addresses));
        }
        return addresses;
    }

    private static void addFour(KernelObject device, List<NetworkInterface.Address> addresses) {
        Steps<KernelObject> steps = new Steps<>(Walk.LIMIT);
        Optional<KernelObject> next = device.get("ifa_list").target();
        while (next.isPresent() && steps.visit(next.get().address())) {
            KernelObject address = next.get();
            addresses.add(new NetworkInterface.Address(
                    Addresses.text(address.get("ifa_local").bytes(IPV4_BYTES)),
                    address.getInt("ifa_prefixlen"),
                    4,
                    scope(address.getInt("ifa_scope"))));
            next = address.get("ifa_next").target();
        }
    }

    /** RT_SCOPE_*. */
    private static String scope(int number) {
        return switch (number) {
            case 0 -> "global";
            case 200 -> "site";
            case 253 -> "link";
            case 254 -> "host";
            case 255 -> "nowhere";
            default -> String.valueOf(number);
        };
    }

    private static void addSix(KernelObject device, List<NetworkInterface.Address> addresses) {
        for (KernelObject address : device.get("addr_list").list("struct inet6_ifaddr", "if_list")) {
            addresses.add(new NetworkInterface.Address(
                    Addresses.text(address.get("addr").bytes(IPV6_BYTES)),
                    address.getInt("prefix_len"),
                    6,
                    sixScope(address.getInt("scope") & SIX_SCOPES)));
        }
    }

    private static String sixScope(int scope) {
        return switch (scope) {
            case SIX_LOOPBACK -> "host";
            case SIX_LINK -> "link";
            case SIX_SITE -> "site";
            default -> "global";
        };
    }
}
