/** The command line: one class a verb, on top of the library. */
module dev.guestcore.cli {
    requires static org.jspecify;
    requires dev.guestcore;
    requires dev.guestcore.linux;
    requires info.picocli;

    // picocli fills in the annotated fields.
    opens dev.guestcore.cli to
            info.picocli;
}
