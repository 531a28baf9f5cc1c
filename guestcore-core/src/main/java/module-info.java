/** The Guestcore library: the guest model, core formats, live sources. */
module dev.guestcore {
    requires java.net.http;
    requires jdk.net;
    // The Zstandard streams of aircompressor need it.
    requires jdk.unsupported;
    requires static org.jspecify;
    requires aircompressor.v3;
    requires org.tukaani.xz;
    requires tools.jackson.databind;

    exports dev.guestcore;
    exports dev.guestcore.address;
    exports dev.guestcore.arch;
    exports dev.guestcore.arch.arm64;
    exports dev.guestcore.arch.riscv64;
    exports dev.guestcore.arch.s390x;
    exports dev.guestcore.arch.x86;
    exports dev.guestcore.capture;
    exports dev.guestcore.cpu;
    exports dev.guestcore.error;
    exports dev.guestcore.facts;
    exports dev.guestcore.file;
    exports dev.guestcore.format;
    exports dev.guestcore.format.elf;
    exports dev.guestcore.format.kdump;
    exports dev.guestcore.format.lime;
    exports dev.guestcore.format.raw;
    exports dev.guestcore.format.vbox;
    exports dev.guestcore.format.xen;
    exports dev.guestcore.inspect;
    exports dev.guestcore.json;
    exports dev.guestcore.kernel;
    exports dev.guestcore.manifest;
    exports dev.guestcore.open;
    exports dev.guestcore.report;
    exports dev.guestcore.search;
    exports dev.guestcore.serve.gdb;
    exports dev.guestcore.source;
    // The command line decides itself when to thaw and when to commit; not for others.
    exports dev.guestcore.internal.output to
            dev.guestcore.cli;
    exports dev.guestcore.internal.text to
            dev.guestcore.cli;
    // How the demo checks itself.
    exports dev.guestcore.source.demo to
            dev.guestcore.cli;

    uses dev.guestcore.file.ByteStore;
    uses dev.guestcore.format.CoreFormat;
    uses dev.guestcore.kernel.VmcoreInfoMaker;
    uses dev.guestcore.source.SourceProvider;

    provides dev.guestcore.file.ByteStore with
            dev.guestcore.store.http.HttpStore;
    provides dev.guestcore.format.CoreFormat with
            dev.guestcore.format.elf.ElfCoreFormat,
            dev.guestcore.format.kdump.KdumpFormat,
            dev.guestcore.format.lime.AvmlFormat,
            dev.guestcore.format.lime.LimeFormat,
            dev.guestcore.format.raw.RawFormat,
            dev.guestcore.format.vbox.VmCoreFormat,
            dev.guestcore.format.vmstate.VmStateFormat,
            dev.guestcore.format.xen.XenDumpCoreFormat,
            dev.guestcore.format.xenlegacy.XenLegacyFormat;
    provides dev.guestcore.source.SourceProvider with
            dev.guestcore.source.demo.DemoProvider,
            dev.guestcore.source.described.DescribedProvider,
            dev.guestcore.source.qemu.QemuSourceProvider;
}
