/** QEMU's migration stream in a file: plain, compressed, or as a save image of libvirt. */
@NullMarked
package dev.guestcore.format.vmstate;

import org.jspecify.annotations.NullMarked;
