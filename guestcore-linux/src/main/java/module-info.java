/** A Linux guest explained from its memory: symbols, types, tasks, log, modules, stacks. */
module dev.guestcore.linux {
    requires static org.jspecify;
    requires transitive dev.guestcore;
    requires org.tukaani.xz;

    exports dev.guestcore.linux;
    exports dev.guestcore.linux.export;
    exports dev.guestcore.linux.stacks;
    exports dev.guestcore.linux.symbols;
    exports dev.guestcore.linux.types;

    provides dev.guestcore.kernel.VmcoreInfoMaker with
            dev.guestcore.linux.export.LinuxVmcoreInfoMaker;
}
