package dev.guestcore.cli;

import dev.guestcore.file.Locations;
import dev.guestcore.internal.text.Names;
import dev.guestcore.json.Json;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.Socket;
import dev.guestcore.linux.Walk;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code guestcore ss}. */
@Command(
        name = "ss",
        description = {
            "Show the sockets of a Linux guest with their owners, as ss does.",
            "",
            "Only the guest's memory is needed. Shown are the sockets that processes have open, in all network "
                    + "namespaces, and those that only the kernel's tables of TCP and UDP have, such as connections in "
                    + "TIME-WAIT and sockets of the kernel itself."
        },
        footer = {
            "",
            "Examples:",
            "  guestcore ss vm.core",
            "  guestcore ss vm.core --listening",
            "  guestcore ss qemu:/run/vm.qmp --json"
        })
final class SsVerb extends LinuxListVerb {

    @Option(names = {"-l", "--listening"}, description = "Only sockets that wait for connections.")
    boolean listening;

    SsVerb(Console console) {
        super(console);
    }

    @Override
    int show(Linux linux) {
        Walk<Socket> all = linux.sockets();
        List<Socket> shown = all.stream()
                .filter(socket -> !listening || socket.state().equals("LISTEN"))
                .toList();
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("source", Locations.printable(source));
            document.put("sockets", (Iterable<Object>) () -> shown.stream().<Object>map(SsVerb::json).iterator());
            document.put("problems", all.problems());
            printJson(document);
        } else {
            Table table = new Table("NETID", "STATE", "LOCAL", "PEER", "PROCESS");
            for (Socket socket : shown) {
                table.row(
                        socket.kind(),
                        socket.state(),
                        Printable.of(socket.local()),
                        Printable.of(socket.remote().orElse("")),
                        owners(socket));
            }
            table.lines(console().style()).forEach(this::print);
        }
        return problems(all.problems());
    }

    private String owners(Socket socket) {
        if (!socket.seenIn().contains(Socket.Place.FILES)) {
            return console().style().faint("(no process)");
        }
        String owners = Printable.of(socket.owners().stream()
                .map(owner -> owner.name() + " (pid " + owner.pid() + ", fd " + owner.descriptor() + ")")
                .collect(Collectors.joining(", ")));
        return owners + (socket.isHidden() ? " " + console().style().bad("(hidden: not in the kernel's table)") : "");
    }

    private static Map<String, Object> json(Socket socket) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("kind", socket.kind());
        json.put("family", Names.of(socket.family()));
        json.put("type", socket.type());
        json.put("protocol", socket.protocol());
        json.put("state", socket.state());
        json.put("local", socket.local());
        socket.remote().ifPresent(remote -> json.put("remote", remote));
        if (socket.inode() != 0) {
            json.put("inode", socket.inode());
        }
        json.put("networkNamespace", socket.namespace());
        json.put("owners", socket.owners().stream().map(SsVerb::json).toList());
        json.put("hidden", socket.isHidden());
        json.put("seenIn", socket.seenIn().stream().sorted().map(Names::of).toList());
        json.put("sockStruct", Json.address(socket.object().address()));
        return json;
    }

    private static Map<String, Object> json(Socket.Owner owner) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("pid", owner.pid());
        json.put("name", owner.name());
        json.put("descriptor", owner.descriptor());
        return json;
    }
}
