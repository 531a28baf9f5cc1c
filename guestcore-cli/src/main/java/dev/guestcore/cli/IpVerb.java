package dev.guestcore.cli;

import dev.guestcore.file.Locations;
import dev.guestcore.json.Json;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.NetworkInterface;
import dev.guestcore.linux.Walk;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;

/** {@code guestcore ip}. */
@Command(
        name = "ip",
        description = {
            "Show the network devices of a Linux guest and their addresses, as ip addr does.",
            "",
            "Only the guest's memory is needed. Devices of all network namespaces are shown."
        },
        footer = {"", "Examples:", "  guestcore ip vm.core", "  guestcore ip qemu:/run/vm.qmp --json"})
final class IpVerb extends LinuxListVerb {

    IpVerb(Console console) {
        super(console);
    }

    @Override
    int show(Linux linux) {
        Walk<NetworkInterface> devices = linux.interfaces();
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("source", Locations.printable(source));
            document.put("devices", items(devices, IpVerb::json));
            document.put("problems", devices.problems());
            printJson(document);
        } else {
            long namespace = 0;
            boolean first = true;
            for (NetworkInterface device : devices) {
                if (!first && device.namespace() != namespace) {
                    print(console().style().faint("network namespace " + device.namespace() + ":"));
                }
                namespace = device.namespace();
                first = false;
                print(device);
            }
        }
        return problems(devices.problems());
    }

    private void print(NetworkInterface device) {
        print("%d: %s: <%s> mtu %d state %s".formatted(
                device.index(),
                Printable.of(device.name()),
                String.join(",", device.flags()),
                device.mtu(),
                device.operationalState()));
        print(("    link/" + device.hardware() + " " + device.hardwareAddress()).stripTrailing());
        for (NetworkInterface.Address address : device.addresses()) {
            print("    " + (address.version() == 4 ? "inet " : "inet6 ") + address.text() + "/" + address.prefix()
                    + " scope " + address.scope());
        }
    }

    private static Map<String, Object> json(NetworkInterface device) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("networkNamespace", device.namespace());
        json.put("index", device.index());
        json.put("name", device.name());
        json.put("flags", device.flags());
        json.put("mtu", device.mtu());
        json.put("state", device.operationalState());
        json.put("hardware", device.hardware());
        json.put("hardwareAddress", device.hardwareAddress());
        json.put("addresses", device.addresses().stream().map(IpVerb::json).toList());
        json.put("deviceStruct", Json.address(device.object().address()));
        return json;
    }

    private static Map<String, Object> json(NetworkInterface.Address address) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("version", address.version());
        json.put("address", address.text());
        json.put("prefix", address.prefix());
        json.put("scope", address.scope());
        return json;
    }
}
