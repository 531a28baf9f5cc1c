/**
 * Live QEMU and KVM guests over QMP, QEMU's control socket. {@code QemuSource} freezes and thaws; what the monitor
 * prints is read by {@code FlatView} (memory layout) and {@code RegisterDump} (vCPUs); memory comes from QEMU's process
 * ({@code ProcessContents}) or, where that is forbidden, through files that QEMU saves ({@code SavedContents}). {@code
 * Snapshot} takes memory and vCPUs of one instant out of a migration stream while the guest runs on.
 */
@NullMarked
package dev.guestcore.source.qemu;

import org.jspecify.annotations.NullMarked;
