package dev.guestcore.dist;

import dev.guestcore.testing.ForeignTools;
import dev.guestcore.testing.ForeignTools.Answer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * The folder of a machine on which nothing is installed but the C library, a shell and readlink, taken from this machine.
 * Whoever may make user namespaces needs no rights for it.
 */
final class CleanRoot {

    /** Becomes root of a namespace, shows the machine's processes and devices in the folder $1, and enters it. */
    private static final String ENTER = """
            mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && cd "$0" && exec chroot "$0" "$@"
            """;

    private final Path root;

    private CleanRoot(Path root) {
        this.root = root;
    }

    /** Makes one in an empty folder. */
    static CleanRoot in(Path folder) throws IOException {
        ForeignTools.require("chroot", "dpkg", "dpkg-query", "unshare");
        CleanRoot made = new CleanRoot(folder);
        for (String name : List.of("proc", "dev", "tmp", "usr/bin", "var/lib/dpkg/info", "var/lib/dpkg/updates")) {
            Files.createDirectories(folder.resolve(name));
        }
        Path dpkg = folder.resolve("var/lib/dpkg");
        Files.writeString(dpkg.resolve("status"), ForeignTools.output("dpkg-query", "--status", "libc6") + "\n");
        Files.writeString(dpkg.resolve("available"), "");
        for (String file : ForeignTools.output("dpkg-query", "--listfiles", "libc6").split("\n")) {
            if (file.contains(".so")) {
                made.copy(Path.of(file));
            }
        }
        Files.copy(Path.of("/bin/sh").toRealPath(), Files.createDirectories(folder.resolve("bin")).resolve("sh"));
        Path readlink = Path.of("/usr/bin/readlink").toRealPath();
        Files.copy(readlink, folder.resolve("usr/bin/readlink"));
        return made;
    }

    private void copy(Path file) throws IOException {
        if (!Files.isDirectory(file)) {
            Path target = path(file.toString());
            Files.createDirectories(target.getParent());
            Files.copy(file, target);
        }
    }

    /** Where a file of that machine is on this one. */
    Path path(String absolute) {
        return root.resolve(absolute.substring(1));
    }

    /** All its files but the package manager's own, from its root on. */
    List<String> files() throws IOException {
        try (Stream<Path> files = Files.walk(root)) {
            return files.map(file -> "/" + root.relativize(file))
                    .filter(file -> !file.startsWith("/var/"))
                    .sorted()
                    .toList();
        }
    }

    /** The package manager, at work on that machine's packages. */
    Answer dpkg(String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                "unshare", "--map-root-user", "dpkg", "--root=" + root, "--force-not-root",
                "--force-script-chrootless"));
        command.addAll(List.of(arguments));
        return ForeignTools.run(command.toArray(String[]::new));
    }

    /** Runs a program there, with only these variables in its environment. */
    Answer run(List<String> environment, String... command) {
        List<String> all = new ArrayList<>(List.of("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"));
        all.addAll(environment);
        all.addAll(List.of("unshare", "--map-root-user", "--mount", "sh", "-c", ENTER, root.toString()));
        all.addAll(List.of(command));
        return ForeignTools.run(all.toArray(String[]::new));
    }
}
