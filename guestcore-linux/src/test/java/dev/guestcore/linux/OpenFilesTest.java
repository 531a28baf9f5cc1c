package dev.guestcore.linux;

import static dev.guestcore.linux.MadeUpLinux.BASE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.linux.types.BtfBuilder;
import dev.guestcore.linux.types.BtfBuilder.Member;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Open files and their names, in memory that a test wrote: whole, and damaged. */
class OpenFilesTest {

    private static final long TASK = BASE + 0x100;
    private static final long FS = BASE + 0x200;
    private static final long FILES = BASE + 0x300;
    private static final long TABLE = BASE + 0x400;
    private static final long BITS = BASE + 0x500;
    private static final long POINTERS = BASE + 0x800;
    private static final long ROOT_MOUNT = BASE + 0x2000;
    private static final long DATA_MOUNT = BASE + 0x2100;
    private static final long ROOT = BASE + 0x3000;
    private static final long DATA = BASE + 0x3100;
    private static final long DATA_ROOT = BASE + 0x3200;
    private static final long FOLDER = BASE + 0x3300;
    private static final long NAME = BASE + 0x3400;
    private static final long SUPER = BASE + 0x4000;
    private static final long SOCKETS = BASE + 0x4100;
    private static final long INODE = BASE + 0x5000;
    private static final long FILE = BASE + 0x6000;

    private static BtfBuilder types() {
        BtfBuilder btf = BtfBuilder.kernel();
        int number = btf.integer("long unsigned int", 8, 0);
        int integer = btf.integer("unsigned int", 4, 0);
        int character = btf.integer("char", 1, 1);
        int any = btf.pointer(0);
        int text = btf.pointer(character);
        int type = btf.struct("file_system_type", 8, Member.at(0, "name", text));
        int superBlock = btf.struct("super_block", 16, Member.at(0, "s_type", btf.pointer(type)),
                Member.at(8, "s_dev", integer));
        int superPointer = btf.pointer(superBlock);
        int inode = btf.struct("inode", 64, Member.at(0, "i_mode", integer), Member.at(8, "i_ino", number),
                Member.at(16, "i_size", number), Member.at(24, "i_sb", superPointer));
        int inodePointer = btf.pointer(inode);
        int qstr = btf.struct("qstr", 16, Member.at(4, "len", integer), Member.at(8, "name", text));
        int hash = btf.struct("hlist_bl_node", 16, Member.at(8, "pprev", any));
        int dentryPointer = btf.pointer(btf.next() + 1);
        btf.struct("dentry", 96, Member.at(0, "d_parent", dentryPointer), Member.at(8, "d_name", qstr),
                Member.at(24, "d_hash", hash), Member.at(40, "d_sb", superPointer),
                Member.at(48, "d_inode", inodePointer));
        int vfsmount = btf.struct("vfsmount", 16, Member.at(0, "mnt_root", dentryPointer));
        int mountPointer = btf.pointer(btf.next() + 1);
        btf.struct("mount", 64, Member.at(0, "mnt_parent", mountPointer),
                Member.at(8, "mnt_mountpoint", dentryPointer), Member.at(32, "mnt", vfsmount));
        int path = btf.struct("path", 16, Member.at(0, "mnt", btf.pointer(vfsmount)),
                Member.at(8, "dentry", dentryPointer));
        int file = btf.struct("file", 64, Member.at(0, "f_path", path), Member.at(16, "f_inode", inodePointer),
                Member.at(24, "f_mode", integer), Member.at(32, "f_pos", number));
        int table = btf.struct("fdtable", 24, Member.at(0, "max_fds", integer),
                Member.at(8, "fd", btf.pointer(btf.pointer(file))), Member.at(16, "open_fds", btf.pointer(number)));
        int files = btf.struct("files_struct", 8, Member.at(0, "fdt", btf.pointer(table)));
        int fs = btf.struct("fs_struct", 32, Member.at(16, "root", path));
        btf.struct("task_struct", 16, Member.at(0, "fs", btf.pointer(fs)), Member.at(8, "files", btf.pointer(files)));
        return btf;
    }

    private static void dentry(MadeUpLinux guest, long place, long parent, String name, long superBlock) {
        guest.put64(place, parent)
                .put32(place + 12, name.length())
                .put64(place + 16, place + 0x60)
                .text(place + 0x60, name)
                .put64(place + 32, 1)
                .put64(place + 40, superBlock)
                .put64(place + 48, INODE);
    }

    private static void mount(MadeUpLinux guest, long place, long parent, long on, long root) {
        guest.put64(place, parent).put64(place + 8, on).put64(place + 32, root);
    }

    private static void open(MadeUpLinux guest, int descriptor, long file, long mount, long dentry) {
        guest.put64(POINTERS + 8L * descriptor, file)
                .put64(file, mount + 32)
                .put64(file + 8, dentry)
                .put64(file + 16, INODE)
                .put32(file + 24, 3)
                .put64(file + 32, 17);
    }

    /** {@code /} with {@code /data} mounted, in which descriptor 65 is {@code /data/folder/name}. */
    private static MadeUpLinux guest() {
        MadeUpLinux guest = new MadeUpLinux()
                .put64(TASK, FS)
                .put64(TASK + 8, FILES)
                .put64(FS + 16, ROOT_MOUNT + 32)
                .put64(FS + 24, ROOT)
                .put64(FILES, TABLE)
                .put32(TABLE, 128)
                .put64(TABLE + 8, POINTERS)
                .put64(TABLE + 16, BITS)
                .put64(BITS + 8, 1 << 1)
                .put64(SUPER, SUPER + 32)
                .put64(SUPER + 32, SUPER + 48)
                .text(SUPER + 48, "ext4")
                .put64(SOCKETS, SOCKETS + 32)
                .put64(SOCKETS + 32, SOCKETS + 48)
                .text(SOCKETS + 48, "sockfs")
                .put32(INODE, 0x81a4)
                .put64(INODE + 8, 4711)
                .put64(INODE + 16, 1000)
                .put64(INODE + 24, SUPER);
        mount(guest, ROOT_MOUNT, ROOT_MOUNT, ROOT, ROOT);
        mount(guest, DATA_MOUNT, ROOT_MOUNT, DATA, DATA_ROOT);
        dentry(guest, ROOT, ROOT, "/", SUPER);
        dentry(guest, DATA, ROOT, "data", SUPER);
        dentry(guest, DATA_ROOT, DATA_ROOT, "/", SUPER);
        dentry(guest, FOLDER, DATA_ROOT, "folder", SUPER);
        dentry(guest, NAME, FOLDER, "name", SUPER);
        open(guest, 65, FILE, DATA_MOUNT, NAME);
        return guest;
    }

    private static Walk<OpenFile> files(MadeUpLinux guest) {
        return OpenFiles.of(guest.with(types()).object("struct task_struct", TASK));
    }

    @Test
    void aFileHasTheNameThatItsProcessSees() {
        Walk<OpenFile> files = files(guest());
        assertEquals(List.of(), files.problems());
        OpenFile file = files.items().getFirst();
        assertEquals(1, files.size());
        assertEquals(65, file.descriptor());
        assertEquals("/data/folder/name", file.name());
        assertEquals(OpenFile.Kind.REGULAR, file.kind());
        assertEquals(OpenFile.Access.READ_WRITE, file.access());
        assertEquals(17, file.position());
        assertEquals(4711, file.inode());
        assertEquals(1000, file.size().orElseThrow());
    }

    @Test
    void theRootOfTheProcessCounts() {
        MadeUpLinux guest = guest().put64(FS + 16, DATA_MOUNT + 32).put64(FS + 24, FOLDER);
        assertEquals("/name", files(guest).items().getFirst().name());
    }

    @Test
    void namesOfWhatIsInNoDirectory() {
        assertEquals("/data/folder/name (deleted)", files(guest().put64(NAME + 32, 0)).items().getFirst().name());
        assertEquals("socket:[4711]", files(guest().put64(NAME + 40, SOCKETS)).items().getFirst().name());
        assertEquals("/name (deleted)", files(guest().put64(NAME, NAME)).items().getFirst().name());
    }

    @Test
    void aTaskThatHasEndedHasNone() {
        assertEquals(Walk.of(List.of()), files(guest().put64(TASK + 8, 0)));
    }

    @Test
    void directoriesWithoutEndAreTold() {
        Walk<OpenFile> files = files(guest().put64(FOLDER, NAME));
        assertEquals(0, files.size());
        assertTrue(files.problems().getFirst().contains("do not end"), files.problems()::toString);
        files = files(guest().put64(DATA_MOUNT, ROOT_MOUNT).put64(ROOT_MOUNT, DATA_MOUNT).put64(FS + 16, 1)
                .put64(ROOT_MOUNT + 8, DATA_ROOT));
        assertTrue(files.problems().getFirst().contains("do not end"), files.problems()::toString);
    }

    @Test
    void damageIsTold() {
        Walk<OpenFile> files = files(guest().put64(BITS, 1).put64(POINTERS, 0xdead_0000L));
        assertEquals(1, files.size());
        assertTrue(files.problems().getFirst().startsWith("cannot read"), files.problems()::toString);
        files = files(guest().put32(TABLE, -1));
        assertFalse(files.complete());
        assertTrue(files.problems().getFirst().contains("4294967295 files"), files.problems()::toString);
        files = files(guest().put64(TABLE + 16, 0xdead_0000L));
        assertFalse(files.complete());
        // A name that is longer than any is.
        files = files(guest().put32(NAME + 12, 0x7fff_ffff));
        assertTrue(files.items().getFirst().name().length() < 300);
    }
}
