package dev.guestcore.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code guestcore convert}. */
@Command(
        name = "convert",
        description = {
            "Convert a core file to another format or layout.",
            "",
            "Within one format the layout of the input is kept unless an option says otherwise. What the target cannot "
                    + "carry is listed."
        },
        footer = {"", "Example:", "  guestcore convert vm.core -o vm.xen --to xen"})
final class ConvertVerb extends WritingVerb {

    @Parameters(paramLabel = "<in>", description = "The core file to read; its format is recognised by content.")
    String input = "";

    ConvertVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() throws Exception {
        return deliver(input);
    }
}
