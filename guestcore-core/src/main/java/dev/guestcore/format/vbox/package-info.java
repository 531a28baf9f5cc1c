/**
 * VirtualBox guest cores ("VMCore"), all generations: {@link dev.guestcore.format.vbox.VmCoreWriter} writes them,
 * {@link dev.guestcore.format.vbox.VmCoreFormat} recognises, opens and verifies them.
 *
 * <p>The format is described in docs/formats/vbox-vmcore.md; section numbers in this package are that document's.
 */
@NullMarked
package dev.guestcore.format.vbox;

import org.jspecify.annotations.NullMarked;
