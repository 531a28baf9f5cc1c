package dev.guestcore.internal.migration;

/**
 * What can be done with a saved guest that Guestcore cannot read, when the file is all there is: QEMU loads it, stopped, and
 * dumps the guest.
 */
public final class OtherWays {

    /** With a plain stream. */
    public static final String LOAD =
            "QEMU itself can load the file and dump the guest: start QEMU with the guest's own options"
                    + " and -S -incoming 'exec:cat FILE', then dump-guest-memory vm.elf in its monitor; a save image of libvirt: virsh"
                    + " restore FILE --paused, then virsh dump DOMAIN vm.elf --memory-only";

    /** With a save image of libvirt. */
    public static final String RESTORE =
            "libvirt itself can restore and dump the guest: virsh restore FILE --paused, then virsh"
                    + " dump DOMAIN vm.elf --memory-only";

    /** With a file of the capability mapped-ram, which QEMU must be told of. */
    static final String LOAD_MAPPED =
            "QEMU itself can load the file and dump the guest: start QEMU with the guest's own options"
                    + " and -S -incoming defer, then in its monitor migrate_set_capability mapped-ram on, migrate_incoming file:FILE,"
                    + " dump-guest-memory vm.elf; a save image of libvirt: virsh restore FILE --paused, then virsh dump DOMAIN vm.elf"
                    + " --memory-only";

    private OtherWays() {}
}
