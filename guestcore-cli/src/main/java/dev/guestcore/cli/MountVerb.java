package dev.guestcore.cli;

import dev.guestcore.file.Locations;
import dev.guestcore.json.Json;
import dev.guestcore.linux.KernelObject;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.Mount;
import dev.guestcore.linux.Mounts;
import dev.guestcore.linux.Walk;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code guestcore mount}. */
@Command(
        name = "mount",
        description = {
            "Show the mounted file systems of a Linux guest, as mount does.",
            "",
            "Only the guest's memory is needed. Options that only a file system's own code knows, such as a "
                    + "size, are not shown."
        },
        footer = {"", "Examples:", "  guestcore mount vm.core", "  guestcore mount vm.core 1234 --json"})
final class MountVerb extends LinuxListVerb {

    @Parameters(
            index = "1",
            arity = "0..1",
            paramLabel = "<pid>",
            description = "As this process sees them. Default: process 1.")
    @Nullable
    Integer pid;

    MountVerb(Console console) {
        super(console);
    }

    @Override
    int show(Linux linux) {
        KernelObject task = process(linux, pid == null ? 1 : pid).object();
        Walk<Mount> mounts = Mounts.of(task);
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("source", Locations.printable(source));
            document.put("mounts", items(mounts, MountVerb::json));
            document.put("problems", mounts.problems());
            printJson(document);
        } else {
            mounts.forEach(mount -> print(Printable.of(mount.source() + " on " + mount.point() + " type " + mount.type()
                    + " (" + String.join(",", options(mount)) + ")")));
        }
        return problems(mounts.problems());
    }

    /** A mount is read-only if it or its file system is; the other options follow. */
    private static List<String> options(Mount mount) {
        List<String> options = new ArrayList<>();
        boolean readOnly = mount.options().contains("ro") || mount.fileSystemOptions().contains("ro");
        options.add(readOnly ? "ro" : "rw");
        options.addAll(mount.options().subList(1, mount.options().size()));
        options.addAll(mount.fileSystemOptions().subList(1, mount.fileSystemOptions().size()));
        return options;
    }

    private static Map<String, Object> json(Mount mount) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("id", mount.id());
        json.put("parent", mount.parent());
        json.put("device", mount.major() + ":" + mount.minor());
        json.put("root", mount.root());
        json.put("point", mount.point());
        json.put("type", mount.type());
        json.put("mounted", mount.source());
        json.put("options", mount.options());
        json.put("fileSystemOptions", mount.fileSystemOptions());
        json.put("mountStruct", Json.address(mount.object().address()));
        return json;
    }
}
