package dev.guestcore.open;

import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.text.ShellWords;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/**
 * What people feed to memory tools that is no dump of a format we read: told by its first bytes, each with what can be done
 * with it. Sources: the documents and headers of those who write the files, as named beside the groups.
 */
public final class KnownFiles {

    /** So much of a file is looked at for zeros and for text. */
    private static final int LOOKED_AT = 1 << 20;

    private static final int TEXT_LOOKED_AT = 4096;

    private static final String UNREAD = ", which Guestcore does not read yet; ";

    /** @param remedy what to do; FILE stands for the name, VMEM for the source that is its memory */
    private record Kind(long offset, byte[] magic, String what, String remedy) {

        boolean begins(FileBytes file) {
            return file.holds(offset, magic.length)
                    && Arrays.equals(file.bytes(offset, magic.length, "first bytes"), magic);
        }
    }

    private static final List<Kind> KINDS = List.of(
            // Windows: ntddk.h, minidumpapiset.h; the hibernation file after the public tools that read it.
            text("PAGEDU64", "a Windows crash dump (PAGEDU64)" + UNREAD, "open it with WinDbg or Volatility 3"),
            text("PAGEDUMP", "a Windows crash dump of 32 bits (PAGEDUMP)" + UNREAD,
                    "open it with WinDbg or Volatility 3"),
            text("MDMP", "a Windows minidump, which holds parts of one process and not a machine's memory; ",
                    "open it with WinDbg"),
            text("HIBR", hibernation(), hibernationRemedy()),
            text("hibr", hibernation(), hibernationRemedy()),
            text("RSTR", hibernation(), hibernationRemedy()),
            text("WAKE", hibernation(), hibernationRemedy()),
            // VMware: the magics of vmss2core, crash and Volatility; little-endian.
            hex("d2bed2be", vmware("suspended state (.vmss) or snapshot (.vmsn)"), vmwareRemedy()),
            hex("d0bed2be", vmware("suspended state (.vmss) or snapshot (.vmsn)"), vmwareRemedy()),
            hex("d0bed0be", vmware("suspended state (.vmss) or snapshot (.vmsn)"), vmwareRemedy()),
            hex("d3bed3be", vmware("suspended state that was not finished"), vmwareRemedy()),
            hex("d1bad1ba", vmware("suspended state that was resumed"), vmwareRemedy()),
            hex("d2bad2ba", vmware("suspended state that cannot be resumed"), vmwareRemedy()),
            hex("14202801", "a Hyper-V file (.vmrs saved state or .vmcx settings)" + UNREAD,
                    "where the virtual machine still exists, start it and dump the guest from inside"),
            // VirtualBox: SSM.cpp.
            text("\u007fVirtualBox SavedState", "a saved state of VirtualBox (.sav)" + UNREAD,
                    "resume the VM (VBoxManage startvm VM) and dump it (VBoxManage debugvm VM dumpvmcore"
                            + " --filename vm.core)"),
            // Xen: xl.h (what xl save puts first), libxl_internal.h, xc_sr_stream_format.h; libvirt's libxl_conf.h.
            text("Xen saved domain, xl format\n \0 \r", xl(), xlRemedy()),
            text("LibxlFmt", xl(), xlRemedy()),
            text("libvirt-xml\n", "a Xen guest that libvirt saved" + UNREAD,
                    "restore it paused (virsh restore FILE --paused) and dump it (virsh dump DOMAIN vm.core)"),
            hex("ffffffffffffffff58454e46", "a Xen migration stream" + UNREAD,
                    "restore it paused with the tool that saved it and dump it (xl dump-core DOMAIN vm.core)"),
            // Linux and others: the readers of crash and makedumpfile.
            text("DISKDUMP", "a diskdump of an old Linux kernel" + UNREAD, crash()),
            hex("ed238f61730119a8", "an LKCD dump" + UNREAD, crash()),
            hex("a8190173618f23ed", "an LKCD dump, big-endian" + UNREAD, crash()),
            hex("a8190173618f23fd", "an s390 dump (zfcpdump, vmdump)" + UNREAD,
                    "make an ELF core of it on an s390 machine (zgetdump -f elf FILE > vm.elf)"),
            text("sadump\0", "a dump of Fujitsu's sadump" + UNREAD, crash()),
            new Kind(2, HexFormat.of().parseHex("648684191007"), firecracker(), firecrackerRemedy()),
            new Kind(2, HexFormat.of().parseHex("aaaa84191007"), firecracker(), firecrackerRemedy()),
            hex("cffaedfe", macho(), "open it with lldb"),
            hex("cefaedfe", macho(), "open it with lldb"),
            hex("feedfacf", macho(), "open it with lldb"),
            hex("feedface", macho(), "open it with lldb"),
            // Forensic containers and archives.
            text("EVF\t\r\n\u00ff\0", "an EWF image (EnCase, .E01)" + UNREAD,
                    "export it (ewfexport -f raw -t memory FILE) and open memory.raw with raw:memory.raw@0x0"),
            text("EVF2\r\n\u0081\0", "an EWF image (EnCase, .Ex01)" + UNREAD,
                    "export it as raw with a tool of its maker and open that with raw:"),
            hex("504b0304", "a ZIP archive (an AFF4 image is one)" + UNREAD,
                    "unpack it, or export the image as raw, and open the result"),
            hex("377abcaf271c", "a 7z archive; ", "unpack it (7z x FILE) and open the dump in it"),
            hex("526172211a07", "a RAR archive; ", "unpack it (unrar x FILE) and open the dump in it"),
            new Kind(257, "ustar".getBytes(StandardCharsets.ISO_8859_1), "a tar archive; ",
                    "unpack it (tar -xf FILE) and open the dump in it"),
            hex("1122334400000001",
                    "one channel of a QEMU migration with multifd, which has a part of the pages only; ",
                    "the others went elsewhere; migrate the guest to a file"),
            // Disks: qcow2.txt and the other documents of QEMU's block drivers.
            hex("514649fb", "a disk image (qcow2), not a dump; ",
                    "qemu-img snapshot -l FILE lists the states of guests that QEMU saved in it, and QEMU loads one"
                            + " with -loadvm"),
            text("KDMV", disk("VMDK"), diskRemedy()),
            text("# Disk DescriptorFile", disk("VMDK"), diskRemedy()),
            text("vhdxfile", disk("VHDX"), diskRemedy()),
            text("conectix", disk("VHD"), diskRemedy()),
            new Kind(64, HexFormat.of().parseHex("7f10dabe"), disk("VDI"), diskRemedy()),
            new Kind(0x8001, "CD001".getBytes(StandardCharsets.ISO_8859_1), disk("ISO 9660"), diskRemedy()),
            // Programs.
            new Kind(0x202, "HdrS".getBytes(StandardCharsets.ISO_8859_1),
                    "a Linux kernel to boot (bzImage), not a dump; ",
                    "give the name of the dump"),
            text("MZ", "a Windows program, not a dump; ", "give the name of the dump"));

    private KnownFiles() {}

    private static Kind text(String magic, String what, String remedy) {
        return new Kind(0, magic.getBytes(StandardCharsets.ISO_8859_1), what, remedy);
    }

    private static Kind hex(String magic, String what, String remedy) {
        return new Kind(0, HexFormat.of().parseHex(magic), what, remedy);
    }

    private static String hibernation() {
        return "a Windows hibernation file (hiberfil.sys)" + UNREAD;
    }

    private static String hibernationRemedy() {
        return "make a raw image of it (Hibr2Bin) and open that with raw:IMAGE@0x0";
    }

    private static String vmware(String what) {
        return "a VMware " + what + UNREAD;
    }

    private static String vmwareRemedy() {
        return "the memory is in the .vmem file beside it, which opens with VMEM (a guest of more than 3 GiB has the rest"
                + " elsewhere), or at the end of this file";
    }

    private static String xl() {
        return "a guest that xl saved" + UNREAD;
    }

    private static String xlRemedy() {
        return "restore it paused (xl restore -p FILE) and dump it (xl dump-core DOMAIN vm.core)";
    }

    private static String crash() {
        return "open it with crash (crash vmlinux FILE)";
    }

    private static String firecracker() {
        return "the state of a Firecracker snapshot, without the memory; ";
    }

    private static String firecrackerRemedy() {
        return "the memory is the other file of the snapshot, which opens with raw:MEMORY@0x0";
    }

    private static String macho() {
        return "a Mach-O file (a program or core of macOS)" + UNREAD;
    }

    private static String disk(String kind) {
        return "a disk image (" + kind + "), not a dump; ";
    }

    private static String diskRemedy() {
        return "it holds no memory of the machine";
    }

    /**
     * What a file is and what can be done with it, in one line without the name.
     *
     * @param file that no format claims
     * @return empty if nobody knows
     */
    public static Optional<String> describe(FileBytes file) {
        if (file.size() == 0) {
            return Optional.of("the file is empty; the program that should have written it wrote nothing");
        }
        for (Kind kind : KINDS) {
            if (kind.begins(file)) {
                return Optional.of(kind.what + (kind.remedy.contains("VMEM")
                        ? kind.remedy.replace("VMEM", ShellWords.quoted(memoryBeside(file)))
                        : kind.remedy.replace("FILE", ShellWords.quoted(file.name()))));
            }
        }
        byte[] first = file.bytes(0, (int) Math.min(LOOKED_AT, file.size()), "first bytes");
        if (Arrays.equals(first, new byte[first.length])) {
            return Optional.of((first.length == file.size() ? "nothing but zeros" : "zeros at the beginning")
                    + "; if it is a raw image of memory, " + raw(file));
        }
        if (!isText(first)) {
            return Optional.empty();
        }
        boolean isObject = new String(first, StandardCharsets.ISO_8859_1).stripLeading().startsWith("{");
        return Optional.of("a text file, not a dump; " + (isObject
                ? "if it describes a guest, open it with " + ShellWords.quoted("file:" + file.name())
                : "give the name of the dump"));
    }

    /** VMware calls the memory like the state that it belongs to. */
    private static String memoryBeside(FileBytes file) {
        return "raw:" + file.name().replaceFirst("\\.vms[sn]$", "") + ".vmem@0x0";
    }

    /** How to open a file as a raw image. */
    public static String raw(FileBytes file) {
        return "open it with " + ShellWords.quoted("raw:" + file.name() + "@0x0");
    }

    private static boolean isText(byte[] bytes) {
        for (int i = 0; i < Math.min(TEXT_LOOKED_AT, bytes.length); i++) {
            int letter = bytes[i] & 0xff;
            if (letter < ' ' && letter != '\n' && letter != '\r' && letter != '\t' && letter != 0x1b
                    || letter == 0x7f) {
                return false;
            }
        }
        return true;
    }
}
