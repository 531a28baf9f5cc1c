package dev.guestcore.linux;

import java.util.List;
import java.util.Objects;

/**
 * A network device of the guest.
 *
 * @param object its {@code struct net_device}
 * @param namespace inode number of its network namespace
 * @param index its number, unique in its namespace
 * @param name its name
 * @param flags what {@code ip} shows: {@code UP}, {@code BROADCAST} and so on
 * @param mtu the largest packet in bytes
 * @param operationalState by RFC 2863: {@code UP}, {@code DOWN}, {@code UNKNOWN}
 * @param hardware what the link is: {@code ether}, {@code loopback}, or the number of ARPHRD_*
 * @param hardwareAddress its address, like {@code 52:54:00:12:34:56}; empty if it has none
 * @param addresses its IP addresses
 */
public record NetworkInterface(
        KernelObject object,
        long namespace,
        int index,
        String name,
        List<String> flags,
        long mtu,
        String operationalState,
        String hardware,
        String hardwareAddress,
        List<Address> addresses) {

    /**
     * An IP address of a device.
     *
     * @param text the address
     * @param prefix bits of the network
     * @param version 4 or 6
     * @param scope {@code global}, {@code link}, {@code host}, {@code site}, or a number
     */
    public record Address(String text, int prefix, int version, String scope) {

        /** Checks for null. */
        public Address {
            Objects.requireNonNull(text);
            Objects.requireNonNull(scope);
        }
    }

    /** Copies the lists. */
    public NetworkInterface {
        Objects.requireNonNull(object);
        Objects.requireNonNull(name);
        flags = List.copyOf(flags);
        Objects.requireNonNull(operationalState);
        Objects.requireNonNull(hardware);
        Objects.requireNonNull(hardwareAddress);
        addresses = List.copyOf(addresses);
    }
}
