package dev.guestcore.open;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.error.UnrecognizedFormatException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Files that are no dumps of ours are called by their name, and the next step is said. */
class KnownFilesTest {

    @TempDir
    Path folder;

    private String refusal(String name, byte[] content) throws IOException {
        Path path = Files.write(folder.resolve(name), content);
        String message = assertThrows(UnrecognizedFormatException.class, () -> Guests.open(path)).getMessage();
        assertTrue(message.startsWith(path + ": "), message);
        return message.substring(path.toString().length() + 2).replace(path.toString(), "FILE");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            0     | 50414745445536340f000000614a0000 | a Windows crash dump (PAGEDU64) | Volatility 3
            0     | 5041474544554d50                 | a Windows crash dump of 32 bits (PAGEDUMP) | WinDbg
            0     | 4d444d5093a7                     | a Windows minidump | WinDbg
            0     | 48494252                         | a Windows hibernation file | raw:
            0     | 57414b45                         | a Windows hibernation file | raw:
            0     | d2bed2be0800000003000000         | a VMware suspended state | raw:FILE.vmem@0x0
            0     | d0bed2be0800000003000000         | a VMware suspended state | raw:FILE.vmem@0x0
            0     | d1bad1ba0800000003000000         | a VMware suspended state that was resumed | raw:FILE.vmem@0x0
            0     | 1420280100000000                 | a Hyper-V file | dump the guest
            0     | 7f5669727475616c426f7820536176656453746174652056322e300a | a saved state of VirtualBox | dumpvmcore
            0     | 58656e20736176656420646f6d61696e2c20786c20666f726d61740a2000200d0403020103000000 | a guest that xl saved | xl restore -p FILE
            0     | 4c6962786c466d7400000002         | a guest that xl saved | xl restore -p FILE
            0     | 6c6962766972742d786d6c0a20002020 | a Xen guest that libvirt saved | virsh restore FILE --paused
            0     | ffffffffffffffff58454e4600000002 | a Xen migration stream | xl dump-core
            0     | 4449534b44554d50                 | a diskdump of an old Linux kernel | crash vmlinux FILE
            0     | ed238f61730119a808000000         | an LKCD dump | crash vmlinux FILE
            0     | a8190173618f23fd00000005         | an s390 dump | zgetdump -f elf FILE > vm.elf
            0     | 736164756d700000                 | a dump of Fujitsu's sadump | crash vmlinux FILE
            0     | 0100648684191007                 | the state of a Firecracker snapshot | raw:MEMORY@0x0
            0     | 0200aaaa84191007                 | the state of a Firecracker snapshot | raw:MEMORY@0x0
            0     | cffaedfe0700000103000000         | a Mach-O file | lldb
            0     | 504b03041400                     | a ZIP archive | unpack
            0     | 455646090d0aff00                 | an EWF image | ewfexport -f raw -t memory FILE
            257   | 7573746172                       | a tar archive | tar -xf FILE
            0     | 514649fb00000003                 | a disk image (qcow2) | qemu-img snapshot -l FILE
            0     | 4b444d5601000000                 | a disk image (VMDK) | no memory
            64    | 7f10dabe                         | a disk image (VDI) | no memory
            32769 | 4344303031                       | a disk image (ISO 9660) | no memory
            514   | 48647253                         | a Linux kernel to boot | the name of the dump
            """)
    void namesTheFileAndTheNextStep(int offset, String magic, String what, String remedy) throws IOException {
        byte[] content = new byte[40000];
        byte[] first = HexFormat.of().parseHex(magic);
        System.arraycopy(first, 0, content, offset, first.length);
        content[39999] = 1;
        String message = refusal("file", content);
        assertTrue(message.startsWith(what), message);
        assertTrue(message.contains(remedy), message);
        assertFalse(message.contains("\n"), message);
        assertTrue(message.length() < 330, message);
        // A beginning that is torn is no such file, and no error either.
        refusal("torn", Arrays.copyOf(content, offset + first.length - 1));
    }

    @Test
    void namesTheMemoryOfVmwareAsItsStateIsNamed() throws IOException {
        byte[] state = Arrays.copyOf(HexFormat.of().parseHex("d2bed2be0800000003000000"), 4000);
        for (String name : new String[] {"vm.vmss", "vm.vmsn"}) {
            String message = refusal(name, state);
            assertTrue(message.contains("opens with raw:" + folder.resolve("vm.vmem") + "@0x0 "), message);
        }
        assertTrue(refusal("my vm.vmss", state).contains("opens with 'raw:" + folder.resolve("my vm.vmem") + "@0x0' "));
    }

    @Test
    void tellsWhatHasNoMagic() throws IOException {
        assertEquals("the file is empty; the program that should have written it wrote nothing",
                refusal("empty", new byte[0]));
        assertEquals("nothing but zeros; if it is a raw image of memory, open it with raw:FILE@0x0",
                refusal("zeros", new byte[5000]));
        byte[] late = new byte[(1 << 20) + 1];
        late[1 << 20] = 7;
        assertEquals("zeros at the beginning; if it is a raw image of memory, open it with raw:FILE@0x0",
                refusal("late", late));
        assertEquals("a text file, not a dump; give the name of the dump",
                refusal("log",
                        "[    0.000000] Linux version 6.1 \u00e4\n".repeat(300).getBytes(StandardCharsets.UTF_8)));
        byte[] noise = new byte[10000];
        new Random(1).nextBytes(noise);
        assertEquals(
                "no known core format; if it is a raw image of memory, open it with raw:FILE@0x0; `guestcore formats"
                        + " FILE` shows why each format does not match",
                refusal("noise", noise));
    }

    @Test
    void aFormatThatNearlyFitsIsNamed() throws IOException {
        byte[] lime = HexFormat.of().parseHex("454d694c09000000");
        assertEquals("begins like a LiME image, but ends within its first header", refusal("short", lime));
        assertEquals("a LiME image of version 9, of which Guestcore knows only 1",
                refusal("newer", Arrays.copyOf(lime, 64)));
        byte[] program =
                Arrays.copyOf(HexFormat.of().parseHex("7f454c46020101000000000000000000" + "02003e0001000000"), 64);
        assertTrue(refusal("vmlinux", program).startsWith("an ELF file, but not a core (e_type 2)"));
    }

    /** What is printed for typing must survive a shell. */
    @Test
    void namesAreQuotedInCommands() throws IOException {
        Path path = Files.write(folder.resolve("my dump"), new byte[100]);
        String message = assertThrows(UnrecognizedFormatException.class, () -> Guests.open(path)).getMessage();
        assertTrue(message.endsWith("open it with 'raw:" + path + "@0x0'"), message);
    }
}
