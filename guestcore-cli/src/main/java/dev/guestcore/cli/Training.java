package dev.guestcore.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Runs the usual commands once, so that the JVM can note down what a start needs and where the time goes. The launcher does
 * that after each build; nobody else needs it.
 */
public final class Training {

    /** A Xen PV guest, whose frames have to be sorted. */
    private static final String PARAVIRTUALIZED =
            """
            { "regions": [ { "kind": "ram", "name": "ram", "address": 0, "size": "64M", "contents": [ { "fill": 1 } ] } ],
              "vcpus": [ { "registers": { "rip": "0xffffffff81000000", "cr3": "0x1000000", "cs": "0xe033" } } ],
              "xen": {
                "paravirtualized": true,
                "guestWidth": 8,
                "version": { "major": 4, "minor": 17, "extra": ".7", "capabilities": "xen-3.0-x86_64 " },
                "frames": [
                  { "pfn": 0, "mfn": "0x3000", "count": 8192 }, { "pfn": 8192, "mfn": "0x1000", "count": 8192 } ] } }
            """;

    private Training() {}

    /**
     * Runs them.
     *
     * @param arguments a folder for the files, which may be there or not
     */
    public static void main(String[] arguments) throws IOException {
        System.exit(run(Path.of(arguments[0]), System.err));
    }

    /** Runs them; gives the exit code of the first that failed. */
    static int run(Path folder, PrintStream problems) throws IOException {
        Files.createDirectories(folder);
        Path described = Files.writeString(folder.resolve("pv.json"), PARAVIRTUALIZED);
        String pv = folder.resolve("pv.xen").toString();
        Path demo = folder.resolve("demo");
        String vbox = demo.resolve("demo.vbox").toString();
        String xen = demo.resolve("demo.xen").toString();
        List<List<String>> commands = List.of(
                List.of("demo", "-o", demo.toString()),
                List.of("convert", "file:" + described, "-o", pv, "--to", "xen"),
                List.of("info", pv),
                List.of("info", vbox),
                List.of("info", xen, "--json"),
                List.of("info", "demo:"),
                List.of("regs", vbox),
                List.of("read", vbox, "0x8000", "64"),
                List.of("read", "--virtual", vbox, "0x8000", "64"),
                List.of("map", vbox),
                List.of("translate", vbox, "0x8000"),
                List.of("search", vbox, "needle"),
                List.of("diff", vbox, xen),
                List.of("verify", xen),
                List.of("convert", vbox, "-o", folder.resolve("demo.elf").toString(), "--to", "elf"),
                List.of("info", folder.resolve("demo.elf").toString()),
                List.of("convert", xen, "-o", folder.resolve("demo.kdump").toString(), "--to", "kdump"),
                List.of("info", folder.resolve("demo.kdump").toString()));
        for (List<String> command : commands) {
            OutputStream nowhere = OutputStream.nullOutputStream();
            Console console = new Console(nowhere, nowhere, Console.Terminal.none());
            int code = Main.run(console, command.toArray(String[]::new));
            if (code != ExitCode.DONE && !command.getFirst().equals("diff")) {
                problems.println("guestcore: training failed at " + String.join(" ", command) + ": " + code);
                return code;
            }
        }
        return ExitCode.DONE;
    }
}
