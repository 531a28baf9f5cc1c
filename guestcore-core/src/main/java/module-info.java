/** The Guestcore library: the guest model, core formats, live sources. */
module dev.guestcore {
    requires static org.jspecify;
    requires tools.jackson.databind;

    exports dev.guestcore;
    exports dev.guestcore.address;
    exports dev.guestcore.cpu;
    exports dev.guestcore.format;
    exports dev.guestcore.format.vbox;
    exports dev.guestcore.hypervisor;
    exports dev.guestcore.inspect;
    exports dev.guestcore.live;
    exports dev.guestcore.serve.gdb;

    uses dev.guestcore.format.CoreFormat;
    uses dev.guestcore.live.SourceProvider;

    provides dev.guestcore.format.CoreFormat with dev.guestcore.format.vbox.VmCoreFormat;
    provides dev.guestcore.live.SourceProvider with
            dev.guestcore.live.qemu.QemuSourceProvider;
}
